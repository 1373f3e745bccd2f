import { maximumUrlLifetime } from '../config/delivery.ts';
import { ConfigError, readConfig } from '../config/index.ts';
import { survivesBrokenOutput } from '../supervisor/output.ts';

/** Flags of `picpipe sign`. */
export interface SignFlags {
	readonly format?: string;
	/** Seconds from now. */
	readonly expires?: string;
}

/**
 * `picpipe sign`: writes a signed address to standard output, and nothing else.
 *
 * @param source id of a picture, or a URL
 * @throws ConfigError
 */
export async function runSign(options: string, source: string, { format, expires }: SignFlags): Promise<void> {
	survivesBrokenOutput();
	const config = readConfig(process.env);
	const expiresAt = expires === undefined ? undefined : Math.floor(Date.now() / 1_000) + secondsOf(expires);
	const { signUrl } = await import('../delivery/sign.ts');
	process.stdout.write(`${await signUrl(config, { options, source, extension: format, expiresAt })}\n`);
}

function secondsOf(text: string): number {
	const seconds = /^\d{1,9}$/.test(text) ? Number(text) : 0;
	if (seconds >= 1 && seconds <= maximumUrlLifetime) return seconds;
	throw new ConfigError([
		`--expires: expected an integer from 1 to ${maximumUrlLifetime} (seconds from now) but received "${text}"`,
	]);
}
