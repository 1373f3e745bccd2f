import { integer, type Kind, matching, optional, plainText, secret, setting } from './kinds.ts';

const redisUrl: Kind<string> = {
	expected: 'a URL such as redis://user:password@host:6379/0, rediss://… or unix:///path/redis.sock',
	parse: (value) => (/^(rediss?|unix):$/.test(URL.parse(value)?.protocol ?? '') ? value : undefined),
};

/** Locations of pictures, queues and the index. */
export const storage = {
	title: 'Storage and Redis',
	settings: {
		dataFolder: setting(
			'PICPIPE_DATA',
			plainText('a folder'),
			'./data',
			'Folder for local data: the pictures, unless `PICPIPE_STORAGE` is set, and the data of the built-in Redis.',
		),
		storage: {
			...optional(
				'PICPIPE_STORAGE',
				matching(/^file:.+/, 'a storage URL such as file:./data'),
				'Where pictures are stored.',
			),
			defaultNote: '`file:` and the data folder',
		},
		scratchFolder: {
			...optional(
				'PICPIPE_SCRATCH',
				plainText('a folder'),
				'Folder for copies of originals that a worker processes. Used unless the storage is a folder.',
			),
			defaultNote: '`scratch` in the data folder',
		},
		scratchMegabytes: setting(
			'PICPIPE_SCRATCH_MEGABYTES',
			integer(1, 10_000_000, 'MB'),
			1_000,
			'Most space that a worker uses for these copies. Pictures wait for room; unused copies are deleted when there is none, or after 15 minutes.',
		),
		redisUrl: secret(
			optional(
				'REDIS_URL',
				redisUrl,
				'Redis (6.2 or newer) or Valkey. Default: a private `redis-server` or `valkey-server` run by `picpipe start`.',
			),
		),
		redisPrefix: setting(
			'PICPIPE_REDIS_PREFIX',
			matching(/^[A-Za-z0-9_-]{1,32}$/, '1 to 32 letters, digits, _ and -'),
			'picpipe',
			'Prefix of every key in Redis, so that several installations can share one server.',
		),
	},
} as const;
