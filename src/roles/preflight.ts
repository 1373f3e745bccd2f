import { type Config, ConfigError } from '../config/index.ts';
import { listen } from '../http/listen.ts';

/**
 * Finds what would keep the roles from starting on this machine before a process is started: an invalid recipes file and ports that are taken.
 *
 * @param config the settings as far as they are valid; those with a problem are undefined
 * @returns one sentence for each problem, with the setting that a person has to change
 */
export async function findProblems(config: Partial<Config>): Promise<string[]> {
	const { host, port, arenaHost, arenaPort, recipesFile } = config;
	const checks = [
		...(recipesFile === undefined ? [] : [checkRecipes(config)]),
		checkPort(host, port, 'PICPIPE_PORT'),
		checkPort(arenaHost, arenaPort, 'PICPIPE_ARENA_PORT'),
	];
	const outcomes = await Promise.allSettled(checks);
	return outcomes.flatMap((outcome) => {
		if (outcome.status === 'fulfilled') return [];
		if (!(outcome.reason instanceof ConfigError)) throw outcome.reason;
		return outcome.reason.problems;
	});
}

/** Without a recipes file there is nothing to load, which takes memory that the supervisor keeps. */
async function checkRecipes(config: Partial<Config>): Promise<void> {
	const { checkRecipesFile } = await import('./recipes.ts');
	await checkRecipesFile(config);
}

async function checkPort(
	host: string | undefined,
	port: number | undefined,
	variable: `${string}_PORT`,
): Promise<void> {
	if (host === undefined || port === undefined || port === 0) return;
	const { close } = await listen(() => {}, { host, port, variable });
	await close();
}
