import { join, resolve } from 'node:path';
import type { Config } from '../config/index.ts';
import { packageFolder } from '../programs.ts';
import { withoutSecrets } from './redis-check.ts';

/** What a person wants to know once everything runs. */
export interface Banner {
	readonly api: string;
	readonly dashboard: string;
	readonly arena: string;
	/** A command that works as it stands. */
	readonly curl: string;
	/** Where pictures are kept. */
	readonly data: string;
	readonly redis: string;
}

const examplePicture = join(packageFolder, 'examples/lighthouse.jpg');

/** @param announced by the api and Arena: addresses such as `http://127.0.0.1:3000`, and whether the api wants a key */
export function makeBanner(
	config: Config,
	announced: { api: string; arena: string; needsKey: boolean },
	redis: { url: string; folder?: string },
): Banner {
	const api = reachable(announced.api);
	return {
		api,
		dashboard: `${api}/`,
		arena: reachable(announced.arena),
		curl: [
			'curl',
			`-F ${quote(`file=@${examplePicture}`)}`,
			// A key must not end up in logs and scrollbacks.
			...(announced.needsKey ? ['-H "Authorization: Bearer $PICPIPE_KEY"'] : []),
			"-H 'Prefer: wait=30'",
			`${api}/v1/pictures`,
		].join(' '),
		data: config.storage.startsWith('file:') ? resolve(config.storage.slice('file:'.length)) : config.storage,
		redis: redis.folder ?? withoutSecrets(redis.url),
	};
}

/** For a terminal. */
export function bannerText(banner: Banner): string {
	const rows = [
		['API', banner.api],
		['Dashboard', banner.dashboard],
		['Arena', banner.arena],
		['Pictures', banner.data],
		['Redis', banner.redis],
		['Stop', 'Ctrl-C'],
	] as const;
	const table = rows.map(([name, value]) => `  ${name.padEnd(11)}${value}\n`).join('');
	return `\n  picpipe is ready\n\n${table}\n  Send it a picture:\n\n  ${banner.curl}\n\n`;
}

/** "All interfaces" is nothing that a client can connect to; this machine's own address is. */
function reachable(address: string): string {
	const url = new URL(address);
	if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
	if (url.hostname === '[::]') url.hostname = '[::1]';
	return url.href.replace(/\/$/, '');
}

/** For a POSIX shell. */
function quote(text: string): string {
	return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
