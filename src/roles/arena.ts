import { openArena } from '../arena/arena.ts';
import { type Config, isLoopback, settings } from '../config/index.ts';
import type { Logger } from '../observe/log.ts';
import { openStorage } from '../storage/index.ts';
import { closeWithRedis, openRedis, queuesOptions, type Running } from './connections.ts';
import { openKeys, requireKey } from './keys.ts';

/** Starts Arena, which shows the queues. */
export async function startArena(config: Config, log: Logger): Promise<Running> {
	const keys = openKeys(config, openStorage(config.storage), log);
	const { arenaHost: host, arenaPassword: password } = config;
	if (!isLoopback(host) && password === undefined) {
		const { arenaHost, arenaPassword } = settings;
		const { variable } = arenaHost;
		const required = 'an API key with the scope "admin"';
		const hasKey = () => keys.hasAdmin();
		await requireKey({ host, variable, alternative: arenaPassword.variable, required, hasKey }, log);
	}
	const redis = openRedis(config, 'producer', log);
	const arena = await openArena({
		...queuesOptions(config),
		host,
		port: config.arenaPort,
		user: config.arenaUser,
		password,
		keys,
		redis,
		log,
	});
	log.info({ address: arena.address }, 'Arena is listening');
	return {
		address: arena.address,
		async stop() {
			await closeWithRedis(redis, { log, close: [() => arena.close()] });
		},
	};
}
