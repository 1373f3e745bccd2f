import { realpath, stat } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import { type Config, ConfigError } from '../config/index.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * The absolute path of the watched folder, links resolved.
 *
 * @throws ConfigError when there is no such folder, or when it and picpipe's own folders lie within each other: it would take in what it has made
 */
export async function findWatchFolder(config: Config, storage: Storage): Promise<string> {
	const { watchFolder } = config;
	if (watchFolder === undefined) throw refusal('received none');
	const folder = await realpath(watchFolder).catch(() => undefined);
	if (!folder || !(await stat(folder)).isDirectory()) throw refusal(`there is none at ${resolve(watchFolder)}`);
	const own = [config.dataFolder];
	if (storage.description.startsWith('file:')) own.push(storage.description.slice('file:'.length));
	for (const path of own) {
		const real = await realpath(path).catch(() => resolve(path));
		if (isWithin(folder, real) || isWithin(real, folder)) {
			throw refusal(`${folder} and ${real}, where picpipe keeps things, lie within each other`);
		}
	}
	return folder;
}

function refusal(problem: string): ConfigError {
	return new ConfigError([`PICPIPE_WATCH: expected a folder to watch but ${problem}`]);
}

function isWithin(inner: string, outer: string): boolean {
	const way = relative(outer, inner);
	return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || resolve(way) === way);
}
