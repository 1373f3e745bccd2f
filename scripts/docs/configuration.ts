import { settings } from '../../src/config/index.ts';
import { code, page, table } from './markdown.ts';

/** Settings by what they are about; one that is in no list comes last, under "Others". */
const groups: Readonly<Record<string, readonly (keyof typeof settings)[]>> = {
	'Addresses and access': [
		'host',
		'port',
		'apiKeys',
		'keysSeconds',
		'uploadTokenSeconds',
		'corsOrigins',
		'arenaHost',
		'arenaPort',
		'arenaUser',
		'arenaPassword',
	],
	'Where things are kept': ['dataFolder', 'storage', 'redisUrl', 'redisPrefix'],
	Recipes: ['recipesFile', 'defaultRecipe', 'inlineRecipes', 'maxVariants', 'maxSteps', 'maxOutputDimension'],
	'Limits on what comes in': [
		'maxBytes',
		'maxFiles',
		'maxMegapixels',
		'maxDimension',
		'maxFrames',
		'svg',
		'maxSvgBytes',
		'maxSvgElements',
		'pictureSeconds',
		'uploadSeconds',
		'abandonedSeconds',
		'resumableSeconds',
		'idempotencySeconds',
		'batchSeconds',
	],
	'Back-pressure, slow and idle connections': [
		'maxQueue',
		'minDiskFree',
		'headersSeconds',
		'minUploadSpeed',
		'slowSeconds',
		'keepAliveSeconds',
		'idleSeconds',
	],
	'Pictures fetched from addresses': [
		'fetchSchemes',
		'fetchHosts',
		'fetchPorts',
		'fetchNetworks',
		'fetchRedirects',
		'fetchConnectSeconds',
		'fetchIdleSeconds',
		'fetchSeconds',
		'fetchRetrySeconds',
		'fetchConcurrency',
	],
	'Watched folder': [
		'watchFolder',
		'watchThen',
		'watchRecipe',
		'watchDuplicates',
		'watchSeconds',
		'watchSettleSeconds',
		'watchConcurrency',
	],
	Webhooks: [
		'webhookUrl',
		'webhookSecrets',
		'webhookSchemes',
		'webhookHosts',
		'webhookPorts',
		'webhookNetworks',
		'webhookSeconds',
		'webhookSchedule',
		'webhookRetrySeconds',
		'webhookConcurrency',
		'webhookKeepSeconds',
		'webhookLog',
	],
	'Use of the machine': ['imagingProcesses', 'sharpThreads', 'megapixelsInFlight', 'imagingMegabytes', 'keptMegabytes'],
	'Uploads from the command line': ['apiUrl', 'apiKey'],
	'Attempts and upkeep': ['attempts', 'retryDelay', 'sweepSeconds'],
	'Running and stopping': ['stopSeconds', 'drainSeconds', 'logLevel'],
};

export function configurationPage(): string {
	const listed = new Set<string>(Object.values(groups).flat());
	const others = Object.keys(settings).filter((name) => !listed.has(name)) as (keyof typeof settings)[];
	return page(
		'Configuration',
		'src/config',
		`Every setting is an environment variable. They are read and checked once, at the start: whatever is wrong is printed, all of it
at once, and picpipe exits with code 2. A variable that is set to nothing counts as not set. An unknown variable whose name begins with
\`PICPIPE_\` is refused, because it is most likely a misspelt one.`,
		...Object.entries({ ...groups, ...(others.length > 0 && { Others: others }) }).map(
			([title, names]) => `## ${title}\n\n${table(['Variable', 'Default', 'Expected', 'Meaning'], names.map(row))}`,
		),
		`## Rules between settings

- \`PICPIPE_HOST\` beyond loopback needs an API key to be there: one in the storage, made with \`picpipe keys add\`, or \`PICPIPE_API_KEYS\`.
  \`PICPIPE_ARENA_HOST\` beyond loopback needs \`PICPIPE_ARENA_PASSWORD\`, or a key with the scope \`admin\`.
- \`PICPIPE_WATCH\` and the folders where picpipe keeps things (\`PICPIPE_DATA\`, \`PICPIPE_STORAGE\`) must not lie within each other.
- \`PICPIPE_ABANDONED_SECONDS\` has to be more than \`PICPIPE_UPLOAD_SECONDS\`.
- \`PICPIPE_WEBHOOK_URL\` needs \`PICPIPE_WEBHOOK_SECRETS\`.
- \`picpipe api\`, \`picpipe worker\` and \`picpipe arena\`, each run alone, need \`REDIS_URL\`; \`picpipe start\` runs a Redis of its own without it.
- All processes of one installation need the same \`REDIS_URL\`, \`PICPIPE_REDIS_PREFIX\` and \`PICPIPE_STORAGE\`.

API keys, Arena's password, secrets of webhooks and the password in \`REDIS_URL\` are never printed.`,
	);
}

function row(name: keyof typeof settings): string[] {
	const one: { variable: string; default: string | undefined; defaultNote?: string; expected: string; doc: string } =
		settings[name];
	const fallback = one.defaultNote ?? (one.default === undefined ? 'none' : code(one.default));
	return [code(one.variable), fallback, one.expected, one.doc];
}
