import type { Command } from 'commander';
import { maximumUrlLifetime } from '../config/delivery.ts';
import { ConfigError, readConfig } from '../config/index.ts';
import { surviveBrokenOutput } from '../supervisor/exit.ts';

const help = `
Options are those of imgproxy, listed in docs/dialects: picpipe sign rs:fit:300:200/q:80 pic_01jzkwp9nbe0tvahm2q4c8s6rd --format webp
The first pair of PICPIPE_DELIVERY_KEYS signs. The URL begins with PICPIPE_PUBLIC_URL, or with PICPIPE_URL when that is unset. Presets are
those of PICPIPE_RECIPES. No server is contacted.
Exit codes: 0 the URL is on standard output, 2 it cannot be made (standard error has the reason).`;

/** `picpipe sign` */
export function addSign(program: Command): void {
	program
		.command('sign')
		.description('sign the URL of an image that is made on demand, and print it')
		.argument('<options>', 'processing options, such as rs:fit:300:200/q:80')
		.argument('<source>', 'id of a picture, or its URL (https://…)')
		.option('--format <format>', 'format of the image, such as webp')
		.option('--expires <seconds>', 'seconds until the URL expires')
		.addHelpText('after', help)
		.action(runSign);
}

interface SignFlags {
	readonly format?: string;
	/** Seconds from now. */
	readonly expires?: string;
}

/** Writes the signed URL to standard output, and nothing else. @throws ConfigError */
async function runSign(options: string, source: string, { format, expires }: SignFlags): Promise<void> {
	surviveBrokenOutput();
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
