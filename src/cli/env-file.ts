import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ConfigError } from '../config/index.ts';

const file = '.env';

/** Variables that are read from the file; it may hold those of other programs. */
const isOurs = (name: string) => name.startsWith('PICPIPE_') || name === 'REDIS_URL';

/**
 * Reads settings from the file `.env` in the working folder, if there is one. A variable that is set in the environment stays as it is.
 *
 * @throws ConfigError for a file that cannot be read
 */
export function readEnvFile(): void {
	let text: string;
	try {
		text = readFileSync(file, 'utf8');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
		throw new ConfigError([`${file}: expected a file that can be read: ${(error as Error).message}`]);
	}
	for (const [name, value] of Object.entries(parseEnv(text))) if (isOurs(name)) process.env[name] ??= value;
}
