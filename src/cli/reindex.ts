import type { Command } from 'commander';
import { runWithRedis } from './borrow-redis.ts';

/** `picpipe reindex` */
export function addReindex(program: Command): void {
	program
		.command('reindex')
		.description('rebuild the index in Redis from the manifests in storage')
		.action(async () => {
			await runReindex();
			process.exit(0);
		});
}

/** @throws ConfigError */
function runReindex(): Promise<void> {
	return runWithRedis('reindex', async (config, log) => {
		const { rebuildIndex } = await import('../roles/commands.ts');
		const { pictures, removed } = await rebuildIndex(config, log);
		log.info({ pictures, removed }, `the index contains ${pictures} pictures; ${removed} entries were removed`);
	});
}
