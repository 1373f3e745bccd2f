import { isIP } from 'node:net';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { constrainedMemory } from 'node:process';

/**
 * Every setting, read from the environment and validated in one place. `docs/reference/configuration.md` is generated from this list.
 */
interface Setting<T> {
	readonly variable: string;
	readonly doc: string;
	/** What a good value looks like, for the reference and for error messages. */
	readonly expected: string;
	/** Given as text, as it would stand in the environment; undefined leaves the setting without a value. */
	readonly default: string | undefined;
	/** How the reference page shows a default that depends on the machine. */
	readonly defaultNote?: string;
	/** Never printed. */
	readonly secret?: boolean;
	/** Returns undefined for a value that isn't as expected. */
	readonly parse: (text: string) => T | undefined;
}

type Kind<T> = Pick<Setting<T>, 'expected' | 'parse'>;

function integer(minimum: number, maximum: number, unit: string): Kind<number> {
	return {
		expected: `an integer from ${minimum} to ${maximum} (${unit})`,
		parse: (text) => {
			const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
			return value >= minimum && value <= maximum ? value : undefined;
		},
	};
}

function oneOf<const T extends string>(...values: readonly T[]): Kind<T> {
	return { expected: `one of ${values.join(', ')}`, parse: (text) => values.find((value) => value === text) };
}

const yesOrNo: Kind<boolean> = {
	expected: 'true or false',
	parse: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
};

function matching(pattern: RegExp, expected: string): Kind<string> {
	return { expected, parse: (text) => (pattern.test(text) ? text : undefined) };
}

const text = (expected: string): Kind<string> => matching(/\S/, expected);

const storageUrl: Kind<string> = matching(/^file:.+/, 'a storage URL such as file:./data');

const redisUrl: Kind<string> = {
	expected: 'a URL such as redis://user:password@host:6379/0, rediss://… or unix:///path/redis.sock',
	parse: (value) => (/^(rediss?|unix):$/.test(URL.parse(value)?.protocol ?? '') ? value : undefined),
};

const keyList: Kind<readonly string[]> = {
	expected: 'keys of at least 16 characters without spaces, separated by commas',
	parse: (value) => {
		const keys = value.split(',').map((key) => key.trim());
		return keys.every((key) => /^\S{16,}$/.test(key)) ? keys : undefined;
	},
};

/** A whole number, or `unlimited`, which is infinity. */
function countOrUnlimited(maximum: number, unit: string): Kind<number> {
	const count = integer(1, maximum, unit);
	return {
		expected: `${count.expected}, or unlimited`,
		parse: (text) => (text === 'unlimited' ? Number.POSITIVE_INFINITY : count.parse(text)),
	};
}

/** Room on a disk: so many bytes, or so much of the whole. */
export type Room = { readonly bytes: number } | { readonly percent: number };

const byteUnits: Readonly<Record<string, number>> = { '': 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

const room: Kind<Room> = {
	expected: 'bytes such as 500MB or 2GB, or a share of the disk such as 5%; 0 for no limit',
	parse: (text) => {
		const [, digits, unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?) ?(%|[kMGT]B|)$/.exec(text) ?? [];
		if (digits === undefined) return undefined;
		if (unit !== '%') return { bytes: Number(digits) * (byteUnits[unit] ?? 1) };
		return Number(digits) < 100 ? { percent: Number(digits) } : undefined;
	},
};

/** Origins exactly as browsers send them (RFC 6454), or any. */
const originList: Kind<'*' | readonly string[]> = {
	expected: 'origins such as https://app.example.org, separated by commas, or *',
	parse: (value) => {
		if (value.trim() === '*') return '*';
		const origins = value.split(',').map((one) => one.trim());
		return origins.every((one) => /^https?:[^*]*$/.test(one) && URL.parse(one)?.origin === one) ? origins : undefined;
	},
};

/** Schemes that addresses may have; none of them turns fetching off. */
const schemeList: Kind<readonly ('http' | 'https')[]> = {
	expected: 'https, http or both, separated by commas; or none',
	parse: (value) => {
		if (value.trim() === 'none') return [];
		const schemes = value.split(',').map((one) => one.trim().toLowerCase());
		return schemes.every((one) => one === 'https' || one === 'http') ? schemes : undefined;
	},
};

/** Names of hosts in the form in which an address has them (RFC 3490 applied); `*.example.org` is every name below that one. */
const hostList: Kind<'*' | readonly string[]> = {
	expected: 'names such as images.example.org or *.example.org, separated by commas, or *',
	parse: (value) => {
		if (value.trim() === '*') return '*';
		const hosts = value.split(',').map((one) => {
			const [, wildcard = '', name = ''] = /^(\*\.)?([^/@?#*\s]+)$/.exec(one.trim()) ?? [];
			const url = URL.parse(`http://${name}/`);
			return url && url.port === '' && !/:\d*$/.test(name.replace(/^\[.*\]$/, ''))
				? wildcard + url.hostname.replace(/\.$/, '')
				: undefined;
		});
		return hosts.every((one) => one !== undefined) ? hosts : undefined;
	},
};

const portList: Kind<'*' | readonly number[]> = {
	expected: 'ports from 1 to 65535, separated by commas, or *',
	parse: (value) => {
		if (value.trim() === '*') return '*';
		const ports = value.split(',').map((one) => (/^\s*\d{1,5}\s*$/.test(one) ? Number(one) : 0));
		return ports.every((one) => one >= 1 && one <= 65_535) ? ports : undefined;
	},
};

/** Networks as an address and the length of its prefix (RFC 4632); an address alone is a network of one. */
const networkList: Kind<readonly string[]> = {
	expected: 'networks such as 10.1.0.0/16 or fd00:1::/32, separated by commas',
	parse: (value) => {
		const networks = value.split(',').map((one) => {
			const [, address = '', prefix] = /^([^/]+?)(?:\/(\d{1,3}))?$/.exec(one.trim()) ?? [];
			const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
			return Number(prefix ?? 0) <= bits ? `${address}/${prefix ?? bits}` : undefined;
		});
		return networks.every((one) => one !== undefined) ? networks : undefined;
	},
};

const httpUrl: Kind<string> = {
	expected: 'a URL of https or http',
	parse: (value) => (/^https?:$/.test(URL.parse(value)?.protocol ?? '') ? value : undefined),
};

/** As Standard Webhooks writes them: `whsec_` and 24 to 64 random bytes in base64. */
export const webhookSecretPattern = /^whsec_([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** Bytes of a secret: 192 to 512 bits. */
const webhookSecretBytes = { least: 24, most: 64 };
/** Most secrets that sign the same message; the header grows by some 50 characters with each. */
export const maximumWebhookSecrets = 5;

export function isWebhookSecret(text: string): boolean {
	const { length } = Buffer.from(text.slice('whsec_'.length), 'base64');
	return webhookSecretPattern.test(text) && length >= webhookSecretBytes.least && length <= webhookSecretBytes.most;
}

const webhookSecretList: Kind<readonly string[]> = {
	expected: `1 to ${maximumWebhookSecrets} secrets, each whsec_ and ${webhookSecretBytes.least} to ${webhookSecretBytes.most} bytes in base64, separated by commas`,
	parse: (value) => {
		const secrets = value.split(',').map((one) => one.trim());
		return secrets.length <= maximumWebhookSecrets && secrets.every(isWebhookSecret) ? secrets : undefined;
	},
};

/** Delays between attempts. */
const scheduleOfSeconds: Kind<readonly number[]> = {
	expected: '1 to 50 delays from 1 to 604800 (seconds), separated by commas',
	parse: (value) => {
		const delays = value.split(',').map((one) => (/^\s*\d{1,6}\s*$/.test(one) ? Number(one) : 0));
		return delays.length <= 50 && delays.every((one) => one >= 1 && one <= 604_800) ? delays : undefined;
	},
};

/** A key and a salt, as imgproxy has them: both hex, at least 16 bytes. */
export interface SigningPair {
	readonly key: Buffer;
	readonly salt: Buffer;
}

const pairList: Kind<readonly SigningPair[]> = {
	expected: 'pairs <key>:<salt> of hex digits, at least 32 each, separated by commas',
	parse: (value) => {
		const pairs = value.split(',').map((one) => /^((?:[0-9a-f]{2}){16,}):((?:[0-9a-f]{2}){16,})$/i.exec(one.trim()));
		if (pairs.length > maximumPairs || pairs.includes(null)) return undefined;
		return pairs.map((pair) => ({
			key: Buffer.from(pair?.[1] ?? '', 'hex'),
			salt: Buffer.from(pair?.[2] ?? '', 'hex'),
		}));
	},
};
/** Longest life of an address that is signed to end, seconds: ten years. */
export const longestAddressLife = 315_360_000;
/** Most pairs that are tried for one signature: two while keys are changed, and a few more. */
const maximumPairs = 10;

const secretList: Kind<readonly string[]> = {
	expected: 'secrets of at least 16 characters without spaces, separated by commas',
	parse: keyList.parse,
};

const cores = availableParallelism();

/** Memory that this process may use, bytes: the control group's limit where there is one. */
function usableMemory(): number {
	const constrained = constrainedMemory();
	return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}

/**
 * Memory that a decoded pixel costs while it is worked on, bytes: four 8-bit channels, held by the decoder, by a resize and by
 * an encoder at the same time, rounded up.
 */
const bytesPerPixelInWork = 16;
/** A quarter of the memory for pixels leaves room for Redis, the page cache and what allocators keep. */
const defaultMegapixelsInFlight = Math.max(1, Math.floor(usableMemory() / 4 / bytesPerPixelInWork / 1e6));

function setting<T>(
	variable: string,
	kind: Kind<T>,
	fallback: string | number,
	doc: string,
	extra?: object,
): Setting<T> {
	return { variable, ...kind, default: String(fallback), doc, ...extra };
}

function optional<T>(variable: string, kind: Kind<T>, doc: string, extra?: object): Setting<T | undefined> {
	return { variable, ...kind, default: undefined, doc, ...extra };
}

export const settings = {
	host: setting(
		'PICPIPE_HOST',
		text('an address'),
		'127.0.0.1',
		'Address the API listens on. Beyond loopback it needs an API key (`picpipe keys add`, or `PICPIPE_API_KEYS`).',
	),
	port: setting('PICPIPE_PORT', integer(0, 65535, 'port; 0 takes a free one'), 3000, 'Port of the API.'),
	apiKeys: optional(
		'PICPIPE_API_KEYS',
		keyList,
		'Keys that may do everything, beside those made with `picpipe keys add`. Shown as `Authorization: Bearer <key>`. Without any key at all, only this machine is served.',
		{ secret: true },
	),
	keysSeconds: setting(
		'PICPIPE_KEYS_SECONDS',
		integer(1, 3_600, 'seconds'),
		10,
		'Age at which the list of API keys is read again from the storage: a key that was revoked is refused everywhere after this time.',
	),
	uploadTokenSeconds: setting(
		'PICPIPE_UPLOAD_TOKEN_SECONDS',
		integer(10, 604_800, 'seconds'),
		3_600,
		'Longest life of an upload token.',
	),
	corsOrigins: optional(
		'PICPIPE_CORS_ORIGINS',
		originList,
		'Web sites whose pages may call the API from a browser. `*` counts only where a key is needed.',
	),
	arenaHost: setting(
		'PICPIPE_ARENA_HOST',
		text('an address'),
		'127.0.0.1',
		'Address Arena listens on. Beyond loopback it needs `PICPIPE_ARENA_PASSWORD`, or an API key with the scope `admin`.',
	),
	arenaPort: setting('PICPIPE_ARENA_PORT', integer(0, 65535, 'port; 0 takes a free one'), 9000, 'Port of Arena.'),
	arenaUrl: optional(
		'PICPIPE_ARENA_URL',
		matching(/^https?:\/\/[^\s/?#]+[^\s?#]*$/, 'an address such as https://queues.example.org'),
		'Address by which people reach Arena, through a proxy say: what links to it begin with. Its host and port when absent.',
	),
	arenaUser: setting('PICPIPE_ARENA_USER', text('a name'), 'admin', "Name for Arena's login."),
	arenaPassword: optional(
		'PICPIPE_ARENA_PASSWORD',
		matching(/^.{8,}$/, 'at least 8 characters'),
		"Password for Arena's login. A key with the scope `admin` is taken as the password too; with either of the two there, Arena asks for a login on loopback as well.",
		{ secret: true },
	),
	dataFolder: setting(
		'PICPIPE_DATA',
		text('a folder'),
		'./data',
		"Folder for everything picpipe keeps on this machine: the pictures, unless `PICPIPE_STORAGE` says otherwise, and its own Redis's data.",
	),
	storage: optional('PICPIPE_STORAGE', storageUrl, 'Where pictures are kept. Default: the data folder.', {
		defaultNote: '`file:` and the data folder',
	}),
	redisUrl: optional(
		'REDIS_URL',
		redisUrl,
		'Redis (6.2 or newer) or Valkey to use. Default: a private `redis-server` or `valkey-server`, run by `picpipe start`.',
		{ secret: true },
	),
	redisPrefix: setting(
		'PICPIPE_REDIS_PREFIX',
		matching(/^[A-Za-z0-9_-]{1,32}$/, '1 to 32 letters, digits, _ and -'),
		'picpipe',
		'First part of every key in Redis, so that several installations can share one.',
	),
	recipesFile: optional(
		'PICPIPE_RECIPES',
		text('a file'),
		'YAML or JSON file with recipes; they are added to the built-in ones and replace those of the same name. It is watched: a change is taken over when all of it is valid, and refused with the reason in the log when it is not.',
	),
	assetsFolder: optional(
		'PICPIPE_ASSETS',
		text('a folder'),
		'Folder of pictures that recipes may use by their plain names, such as the logo of a `watermark`. Workers read it; the api looks there too, to see what has changed.',
	),
	defaultRecipe: setting(
		'PICPIPE_DEFAULT_RECIPE',
		text('the name of a recipe'),
		'web',
		'Recipe of an upload that names none.',
	),
	inlineRecipes: setting(
		'PICPIPE_INLINE_RECIPES',
		yesOrNo,
		'false',
		'Whether a request may bring a recipe of its own, as JSON in the field `recipe`. Whoever may upload then decides how much work a picture is.',
	),
	maxVariants: setting(
		'PICPIPE_MAX_VARIANTS',
		integer(1, 1_000, 'variants'),
		50,
		'Most variants of one recipe, of the recipes file and of a request.',
	),
	maxSteps: setting('PICPIPE_MAX_STEPS', integer(1, 1_000, 'steps'), 50, 'Most steps of one variant, likewise.'),
	maxBytes: setting('PICPIPE_MAX_BYTES', integer(1, 2 ** 40, 'bytes'), 100 * 1024 * 1024, 'Largest file accepted.'),
	svg: setting(
		'PICPIPE_SVG',
		yesOrNo,
		'false',
		'Whether SVG is taken. It is a program rather than a picture: it is read first, what goes beyond the file is refused, and it is drawn in imaging processes alone.',
	),
	maxSvgBytes: setting(
		'PICPIPE_MAX_SVG_BYTES',
		integer(1, 10_000_000, 'bytes'),
		5_000_000,
		'Largest SVG accepted. Its renderer takes no more than 10 million bytes.',
	),
	maxSvgElements: setting(
		'PICPIPE_MAX_SVG_ELEMENTS',
		integer(1, 1_000_000, 'elements'),
		100_000,
		'Most elements of an SVG: each takes about 1,300 bytes of memory before anything is drawn. Its renderer takes no more than a million.',
	),
	maxFiles: setting('PICPIPE_MAX_FILES', integer(1, 10_000, 'files'), 100, 'Most files in one upload.'),
	maxMegapixels: setting(
		'PICPIPE_MAX_MEGAPIXELS',
		integer(1, 10_000, 'million pixels'),
		50,
		'Largest picture processed: width × height × frames.',
	),
	maxDimension: setting(
		'PICPIPE_MAX_DIMENSION',
		integer(1, 1_000_000, 'pixels'),
		30_000,
		'Largest width or height processed.',
	),
	maxOutputDimension: setting(
		'PICPIPE_MAX_OUTPUT_DIMENSION',
		integer(1, 1_000_000, 'pixels'),
		30_000,
		'Largest width or height of a variant. Formats have limits of their own, such as 16383 for WebP.',
	),
	maxFrames: setting(
		'PICPIPE_MAX_FRAMES',
		integer(1, 100_000, 'frames'),
		1_000,
		'Most frames or pages in one picture.',
	),
	pictureSeconds: setting(
		'PICPIPE_PICTURE_SECONDS',
		integer(1, 86_400, 'seconds'),
		60,
		'Longest time an imaging process may work on one picture before it is killed.',
	),
	uploadSeconds: setting(
		'PICPIPE_UPLOAD_SECONDS',
		integer(1, 86_400, 'seconds'),
		600,
		'Longest time one upload request may take.',
	),
	headersSeconds: setting(
		'PICPIPE_HEADERS_SECONDS',
		integer(1, 3_600, 'seconds'),
		15,
		'Longest time in which the headers of a request have to be there.',
	),
	minUploadSpeed: setting(
		'PICPIPE_MIN_UPLOAD_SPEED',
		integer(0, 1_000_000_000, 'bytes a second; 0 for none'),
		1_000,
		'Slowest that a request body may come, over every `PICPIPE_SLOW_SECONDS`. Only time counts in which picpipe waits for the client.',
	),
	slowSeconds: setting(
		'PICPIPE_SLOW_SECONDS',
		integer(1, 3_600, 'seconds'),
		20,
		'Span over which `PICPIPE_MIN_UPLOAD_SPEED` is measured; a body that stands still is ended after it.',
	),
	keepAliveSeconds: setting(
		'PICPIPE_KEEP_ALIVE_SECONDS',
		integer(1, 3_600, 'seconds'),
		65,
		'How long a connection without a request is kept. Longer than a load balancer in front keeps its own, which most do for 60.',
	),
	idleSeconds: setting(
		'PICPIPE_IDLE_SECONDS',
		integer(1, 86_400, 'seconds'),
		180,
		'Time after which a connection is ended on which nothing moves in either direction (up to twice that for an answer that is not read). Longer than the 120 s that `Prefer: wait` may ask for.',
	),
	maxQueue: setting(
		'PICPIPE_MAX_QUEUE',
		countOrUnlimited(100_000_000, 'jobs'),
		100_000,
		'Waiting jobs at which uploads are refused with 503 until there are fewer. Looked at once a second; not known, and so no limit, while Redis is away.',
	),
	minDiskFree: setting(
		'PICPIPE_MIN_DISK_FREE',
		room,
		'1%',
		'Room that has to be left on the disk of the storage; uploads are refused with 503 while it is less. Looked at once a second.',
	),
	fetchSchemes: setting(
		'PICPIPE_FETCH_SCHEMES',
		schemeList,
		'https,http',
		'Schemes of addresses that pictures are fetched from; `none` turns uploads by address off.',
	),
	fetchHosts: setting(
		'PICPIPE_FETCH_HOSTS',
		hostList,
		'*',
		'Hosts that pictures are fetched from; redirects have to stay among them. `*.example.org` is every name below `example.org`.',
	),
	fetchPorts: setting('PICPIPE_FETCH_PORTS', portList, '80,443', 'Ports that pictures are fetched from.'),
	fetchNetworks: optional(
		'PICPIPE_FETCH_NETWORKS',
		networkList,
		'Networks that pictures may be fetched from although they are not public: private, loopback, link-local, shared (CGNAT), reserved, and the metadata services of clouds are refused otherwise.',
	),
	fetchRedirects: setting(
		'PICPIPE_FETCH_REDIRECTS',
		integer(0, 50, 'redirects'),
		5,
		'Most redirects that are followed for one picture; each is checked like the address itself.',
	),
	fetchConnectSeconds: setting(
		'PICPIPE_FETCH_CONNECT_SECONDS',
		integer(1, 600, 'seconds'),
		10,
		'Longest time until another server has taken a connection.',
	),
	fetchIdleSeconds: setting(
		'PICPIPE_FETCH_IDLE_SECONDS',
		integer(1, 3_600, 'seconds'),
		30,
		'Longest time that another server may send nothing.',
	),
	fetchSeconds: setting(
		'PICPIPE_FETCH_SECONDS',
		integer(1, 86_400, 'seconds'),
		300,
		'Longest time that fetching one picture may take, redirects included.',
	),
	fetchRetrySeconds: setting(
		'PICPIPE_FETCH_RETRY_SECONDS',
		integer(0, 604_800, 'seconds'),
		3_600,
		'Longest that a `Retry-After` of another server is honoured; where it asks for more, the next attempt comes after this time.',
	),
	fetchConcurrency: setting(
		'PICPIPE_FETCH_CONCURRENCY',
		integer(1, 1_000, 'fetches'),
		8,
		'Pictures that a worker fetches at the same time.',
	),
	batchSeconds: setting(
		'PICPIPE_BATCH_SECONDS',
		integer(60, 31_536_000, 'seconds'),
		604_800,
		'How long a batch may be open; then it is closed by itself.',
	),
	webhookUrl: optional(
		'PICPIPE_WEBHOOK_URL',
		httpUrl,
		'Address that is told of everything that happens, beside the endpoints made with `POST /v1/webhooks`. Needs `PICPIPE_WEBHOOK_SECRETS`.',
		{ secret: true },
	),
	webhookSecrets: optional(
		'PICPIPE_WEBHOOK_SECRETS',
		webhookSecretList,
		'Secrets that sign what is sent to `PICPIPE_WEBHOOK_URL` and to the addresses that uploads name as their `webhook`. All of them sign; to change one, put the new one beside it and take the old one away later.',
		{ secret: true },
	),
	webhookSchemes: setting(
		'PICPIPE_WEBHOOK_SCHEMES',
		schemeList,
		'https,http',
		'Schemes of addresses that webhooks go to; `none` turns webhooks off.',
	),
	webhookHosts: setting('PICPIPE_WEBHOOK_HOSTS', hostList, '*', 'Hosts that webhooks go to.'),
	webhookPorts: setting('PICPIPE_WEBHOOK_PORTS', portList, '80,443', 'Ports that webhooks go to.'),
	webhookNetworks: optional(
		'PICPIPE_WEBHOOK_NETWORKS',
		networkList,
		'Networks that webhooks may go to although they are not public, as with `PICPIPE_FETCH_NETWORKS`.',
	),
	webhookSeconds: setting(
		'PICPIPE_WEBHOOK_SECONDS',
		integer(1, 300, 'seconds'),
		20,
		'Longest time that a receiver may take to answer a webhook.',
	),
	webhookSchedule: setting(
		'PICPIPE_WEBHOOK_SCHEDULE',
		scheduleOfSeconds,
		'5,300,1800,7200,18000,36000,50400,72000,86400',
		'Delays before the second and every further attempt to deliver a webhook. The default is that of Standard Webhooks: some three days in all.',
	),
	webhookRetrySeconds: setting(
		'PICPIPE_WEBHOOK_RETRY_SECONDS',
		integer(0, 604_800, 'seconds'),
		86_400,
		'Longest that a `Retry-After` of a receiver is honoured.',
	),
	webhookConcurrency: setting(
		'PICPIPE_WEBHOOK_CONCURRENCY',
		integer(1, 1_000, 'deliveries'),
		16,
		'Webhooks that a worker delivers at the same time; to one endpoint at most half of them.',
	),
	webhookKeepSeconds: setting(
		'PICPIPE_WEBHOOK_KEEP_SECONDS',
		integer(60, 31_536_000, 'seconds'),
		604_800,
		'How long a webhook that could not be delivered is kept, to be replayed; and for how long the log of deliveries goes back.',
	),
	webhookLog: setting(
		'PICPIPE_WEBHOOK_LOG',
		integer(1, 100_000, 'deliveries'),
		1_000,
		'Latest deliveries of each endpoint that the log holds, with what was sent, to be replayed.',
	),
	deliveryKeys: optional(
		'PICPIPE_DELIVERY_KEYS',
		pairList,
		'Keys and salts that sign addresses below `/img` and `/ipx`, as `<key>:<salt>` in hex. The first one makes signatures, all of them are taken; to change one, put the new one before it and take the old one away later. `openssl rand -hex 32` makes a key, or a salt.',
		{ secret: true },
	),
	deliveryUnsigned: setting(
		'PICPIPE_DELIVERY_UNSIGNED',
		oneOf('local', 'true', 'false'),
		'local',
		'Whether pictures are made for addresses without a signature: `local` while only this machine is served, because there is no API key. Whoever may ask for any size can keep the workers busy.',
	),
	deliveryHosts: optional(
		'PICPIPE_DELIVERY_HOSTS',
		hostList,
		'Hosts whose pictures addresses may name by URL; redirects have to stay among them. Each is fetched once, by the rules of `PICPIPE_FETCH_*`, and kept as a picture. None when absent.',
	),
	deliverySeconds: setting(
		'PICPIPE_DELIVERY_SECONDS',
		integer(0, 31_536_000, 'seconds'),
		31_536_000,
		'How long browsers and caches may keep what a signed address gave (`Cache-Control: max-age`).',
	),
	deliveryUnsignedSeconds: setting(
		'PICPIPE_DELIVERY_UNSIGNED_SECONDS',
		integer(0, 31_536_000, 'seconds'),
		3_600,
		'The same for addresses without a signature.',
	),
	deliveryMegabytes: setting(
		'PICPIPE_DELIVERY_MEGABYTES',
		integer(0, 1_000_000, 'MB'),
		64,
		'Memory of each api for small results that are asked for often.',
	),
	deliveryRemember: setting(
		'PICPIPE_DELIVERY_REMEMBER_SECONDS',
		integer(0, 3_600, 'seconds'),
		5,
		'How long an api goes on serving what an address gave without looking whether the picture is still there.',
	),
	publicUrl: optional(
		'PICPIPE_PUBLIC_URL',
		matching(/^https?:\/\/[^\s/?#]+[^\s?#]*$/, 'an address such as https://pictures.example.org'),
		'Address by which others reach the api, through a proxy that takes care of TLS say: what signed addresses begin with. As it was asked for when absent.',
	),
	accelRedirect: optional(
		'PICPIPE_ACCEL_REDIRECT',
		matching(/^\/[\w./-]*$/, 'a path such as /stored/'),
		'Lets nginx in front send stored results itself: answers carry `X-Accel-Redirect` with this path and the storage key. For storage in a folder, which the `internal` location has to serve.',
	),
	deliveryFallback: optional(
		'PICPIPE_DELIVERY_FALLBACK',
		matching(/^pic_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/, 'the id of a picture'),
		'Picture that is shown instead of one that cannot be made; an error document when absent.',
	),
	presetsOnly: setting(
		'PICPIPE_PRESETS_ONLY',
		yesOrNo,
		'false',
		'Addresses may name presets of the recipes file and nothing else, in each of their languages. Below `/img` they are written as `/<signature>/<preset>/<source>` then, and cannot be signed to expire, because that is another option.',
	),
	ipx: setting('PICPIPE_IPX', yesOrNo, 'false', 'Serves addresses in the syntax of IPX below `/ipx`.'),
	cloudinary: setting(
		'PICPIPE_CLOUDINARY',
		yesOrNo,
		'false',
		'Serves addresses in the syntax of Cloudinary below `/cld`.',
	),
	cloudinarySecrets: optional(
		'PICPIPE_CLOUDINARY_SECRETS',
		secretList,
		'Secrets that sign addresses below `/cld`, as the API secret of Cloudinary does; all of them are taken.',
		{ secret: true },
	),
	renderSeconds: setting(
		'PICPIPE_RENDER_SECONDS',
		integer(0, 600, 'seconds'),
		20,
		'Longest that a request waits for a picture to be made; then the answer is 202 with `Retry-After`.',
	),
	renderQueue: setting(
		'PICPIPE_RENDER_QUEUE',
		integer(1, 1_000_000, 'renders'),
		500,
		'Most renders that wait; further ones are answered 503.',
	),
	renderFailureSeconds: setting(
		'PICPIPE_RENDER_FAILURE_SECONDS',
		integer(0, 86_400, 'seconds'),
		60,
		'How long a render that failed is not tried again, nor a picture of `PICPIPE_DELIVERY_HOSTS` that could not be fetched or read.',
	),
	renderAvif: setting(
		'PICPIPE_RENDER_AVIF',
		oneOf('later', 'now', 'never'),
		'later',
		'What a request for the best format gets that takes AVIF. It takes far longer to make than the others: `later` gives WebP now and AVIF once it is there.',
	),
	renderFrom: setting(
		'PICPIPE_RENDER_FROM',
		oneOf('variants', 'original'),
		'variants',
		'What renders are made of: the smallest stored variant that shows all of the picture at twice the size or more, where there is one and the render shall not be better than usual; or always the original. The first takes a quarter less work, and differs by less than anybody sees.',
	),
	renderMegabytes: setting(
		'PICPIPE_RENDER_MEGABYTES',
		integer(1, 1_000_000_000, 'MB'),
		10_000,
		'Room for renders in the storage; those that nobody has asked for the longest go first.',
	),
	abandonedSeconds: setting(
		'PICPIPE_ABANDONED_SECONDS',
		integer(1, 604_800, 'seconds'),
		3_600,
		'An upload that never finished (its process was killed) is cleaned up when a worker has seen it lie for so long. Longer than `PICPIPE_UPLOAD_SECONDS`.',
	),
	resumableSeconds: setting(
		'PICPIPE_RESUMABLE_SECONDS',
		integer(1, 2_592_000, 'seconds'),
		86_400,
		'How long a resumable upload is kept after its last byte came, so that it can be gone on with. For as long a finished one tells which picture it has become. Longer than `PICPIPE_UPLOAD_SECONDS`.',
	),
	idempotencySeconds: setting(
		'PICPIPE_IDEMPOTENCY_SECONDS',
		integer(1, 2_592_000, 'seconds'),
		86_400,
		'How long the answer to a request with an `Idempotency-Key` is kept to be given again; then the key is a new one.',
	),
	watchFolder: optional(
		'PICPIPE_WATCH',
		text('a folder'),
		'Folder whose pictures `picpipe start` takes in as they come; `picpipe watch` does the same by itself. Sub-folders become tags.',
	),
	watchThen: setting(
		'PICPIPE_WATCH_THEN',
		oneOf('move', 'keep'),
		'move',
		'What becomes of files in the watched folder whose pictures are accepted: moved to `.picpipe/done/` in it, or kept where they are.',
	),
	watchRecipe: optional(
		'PICPIPE_WATCH_RECIPE',
		text('the name of a recipe'),
		'Recipe of pictures from the watched folder. Default: `PICPIPE_DEFAULT_RECIPE`.',
		{ defaultNote: 'the default recipe' },
	),
	watchDuplicates: setting(
		'PICPIPE_WATCH_DUPLICATES',
		oneOf('accept', 'refuse', 'link', 'dedupe'),
		'accept',
		'What becomes of files in the watched folder whose bytes are there already, as for an upload; refused ones are set aside.',
	),
	watchSeconds: setting(
		'PICPIPE_WATCH_SECONDS',
		integer(1, 3_600, 'seconds'),
		2,
		'How often the watched folder is looked through.',
	),
	watchSettleSeconds: setting(
		'PICPIPE_WATCH_SETTLE_SECONDS',
		integer(1, 3_600, 'seconds'),
		2,
		'How long a file in the watched folder has to keep its size and time of change before it is taken in. Longer where writers pause.',
	),
	watchConcurrency: setting(
		'PICPIPE_WATCH_CONCURRENCY',
		integer(1, 64, 'files'),
		2,
		'Files of the watched folder that are taken in at the same time.',
	),
	imagingProcesses: setting(
		'PICPIPE_IMAGING_PROCESSES',
		integer(1, 256, 'processes'),
		cores,
		'Imaging processes of a worker; each works on one picture at a time.',
		{ defaultNote: 'one per core' },
	),
	sharpThreads: setting(
		'PICPIPE_SHARP_THREADS',
		integer(1, 64, 'threads'),
		1,
		"Threads of libvips in each imaging process (`sharp.concurrency`). One picture per core with one thread each is the fastest way to use a machine's cores.",
	),
	megapixelsInFlight: setting(
		'PICPIPE_MEGAPIXELS_IN_FLIGHT',
		integer(1, 1_000_000, 'million pixels'),
		defaultMegapixelsInFlight,
		'Pixels that all imaging processes of a worker may hold together, those of a picture or of the largest that is made of it; further pictures wait. A picture larger than this runs alone.',
		{ defaultNote: 'a quarter of the memory at 16 bytes a pixel' },
	),
	keptMegabytes: setting(
		'PICPIPE_KEPT_MEGABYTES',
		integer(0, 100_000, 'MB'),
		128,
		'What each imaging process keeps, for half a minute, of pictures that were rendered: their originals, and copies that other sizes are made of without decoding the original again. 0 keeps nothing.',
	),
	imagingMegabytes: setting(
		'PICPIPE_IMAGING_MEGABYTES',
		integer(64, 1_000_000, 'MB'),
		1_024,
		'Resident memory at which an imaging process is replaced between pictures.',
	),
	imagingPictures: setting(
		'PICPIPE_IMAGING_PICTURES',
		integer(1, 1_000_000, 'pictures'),
		150,
		'Pictures after which an imaging process is replaced, so that what decoders and the allocator do not give back goes with it. The next one is ready before.',
	),
	apiUrl: setting(
		'PICPIPE_URL',
		matching(/^https?:\/\/[^\s/]/, 'an address such as https://pictures.example.org'),
		'http://127.0.0.1:3000',
		'Address of the api that `picpipe upload` sends pictures to.',
	),
	apiKey: optional(
		'PICPIPE_KEY',
		matching(/^\S+$/, 'an API key, or an upload token'),
		'API key, or upload token, with which `picpipe upload` comes. Other commands make no use of it.',
		{ secret: true },
	),
	attempts: setting(
		'PICPIPE_ATTEMPTS',
		integer(1, 100, 'attempts'),
		5,
		'Attempts at a picture whose failure may pass.',
	),
	retryDelay: setting(
		'PICPIPE_RETRY_DELAY',
		integer(1, 3_600_000, 'ms'),
		2_000,
		'Delay before the second attempt; it doubles with every further one, with jitter.',
	),
	sweepSeconds: setting(
		'PICPIPE_SWEEP_SECONDS',
		integer(1, 86_400, 'seconds'),
		60,
		'How often accepted pictures without a live job are looked for and queued again.',
	),
	stopSeconds: setting(
		'PICPIPE_STOP_SECONDS',
		integer(1, 3_600, 'seconds'),
		30,
		'Time that each process gets to finish its work when told to stop.',
	),
	drainSeconds: setting(
		'PICPIPE_DRAIN_SECONDS',
		integer(0, 600, 'seconds'),
		0,
		'Time for which the API goes on taking requests after it was told to stop, while `/readyz` already answers 503: so that a load balancer notices before connections are refused. Part of PICPIPE_STOP_SECONDS.',
	),
	logLevel: setting(
		'PICPIPE_LOG_LEVEL',
		oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
		'info',
		'Least level that is logged.',
	),
} as const satisfies Record<string, Setting<unknown>>;

type Settings = typeof settings;
type Values = { readonly [Name in keyof Settings]: Settings[Name] extends Setting<infer T> ? T : never };
/** The validated settings, with the storage URL filled in. */
export type Config = Omit<Values, 'storage'> & { readonly storage: string };

/** Every problem with the settings at once. */
export class ConfigError extends Error {
	override readonly name = 'ConfigError';
	readonly problems: readonly string[];

	constructor(problems: readonly string[]) {
		super(
			`The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
		);
		this.problems = problems;
	}
}

/** An address that only this machine can reach. */
export function isLoopback(host: string): boolean {
	return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** @throws ConfigError that lists every problem. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
	const problems: string[] = [];
	const values = Object.fromEntries(
		Object.entries<Setting<unknown>>(settings).map(([name, one]) => {
			// An empty variable is an unset one: that is what `FOO=` in an env file means to people.
			const given = environment[one.variable] || one.default;
			if (given === undefined) return [name, undefined];
			const value = one.parse(given);
			if (value === undefined) {
				problems.push(
					`${one.variable}: expected ${one.expected} but received ${one.secret ? 'something else' : JSON.stringify(given)}`,
				);
			}
			return [name, value];
		}),
	) as Values;
	problems.push(...unknownVariables(environment), ...contradictions(values));
	if (problems.length > 0) throw new ConfigError(problems);
	return { ...values, storage: values.storage ?? `file:${join(values.dataFolder)}` };
}

/** A misspelt variable would be ignored in silence, and its limit with it. */
function unknownVariables(environment: NodeJS.ProcessEnv): string[] {
	const known = new Set(Object.values(settings).map((one) => one.variable as string));
	return Object.keys(environment)
		.filter((name) => name.startsWith('PICPIPE_') && !known.has(name))
		.map((name) => `${name}: there is no such setting`);
}

function contradictions(values: Values): string[] {
	const problems: string[] = [];
	if (values.abandonedSeconds <= values.uploadSeconds) {
		problems.push(
			`PICPIPE_ABANDONED_SECONDS: expected more than PICPIPE_UPLOAD_SECONDS (${values.uploadSeconds}) but received ${values.abandonedSeconds}`,
		);
	}
	if (values.resumableSeconds <= values.uploadSeconds) {
		problems.push(
			`PICPIPE_RESUMABLE_SECONDS: expected more than PICPIPE_UPLOAD_SECONDS (${values.uploadSeconds}) but received ${values.resumableSeconds}`,
		);
	}
	if (values.drainSeconds >= values.stopSeconds) {
		problems.push(
			`PICPIPE_DRAIN_SECONDS: expected less than PICPIPE_STOP_SECONDS (${values.stopSeconds}) but received ${values.drainSeconds}`,
		);
	}
	if (values.webhookUrl !== undefined && values.webhookSecrets === undefined) {
		problems.push('PICPIPE_WEBHOOK_URL: expected PICPIPE_WEBHOOK_SECRETS too, to sign with, but received none');
	}
	if (values.accelRedirect !== undefined && values.storage !== undefined && !values.storage.startsWith('file:')) {
		problems.push('PICPIPE_ACCEL_REDIRECT: expected none because PICPIPE_STORAGE is no folder');
	}
	return problems;
}
