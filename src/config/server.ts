import {
	anyOr,
	baseUrl,
	integer,
	listOf,
	matching,
	optional,
	plainText,
	secret,
	secretList,
	setting,
} from './kinds.ts';

/** Origins exactly as browsers send them (RFC 6454). */
const originList = anyOr(
	listOf('origins such as https://app.example.org, separated by commas', (item) =>
		/^https?:[^*]*$/.test(item) && URL.parse(item)?.origin === item ? item : undefined,
	),
);

/** Where the API and Arena listen, and who has access. */
export const server = {
	title: 'Server and access',
	settings: {
		host: setting(
			'PICPIPE_HOST',
			plainText('an IP address or a host name'),
			'127.0.0.1',
			'IP address or host name the API listens on.',
		),
		port: setting('PICPIPE_PORT', integer(0, 65535, 'port; 0 takes a free one'), 3000, 'Port of the API.'),
		publicUrl: optional(
			'PICPIPE_PUBLIC_URL',
			baseUrl('https://pictures.example.org'),
			'Public URL of the API, for example behind a TLS proxy. Signed URLs begin with it. Default: the URL of the request.',
		),
		apiKeys: secret(
			optional(
				'PICPIPE_API_KEYS',
				secretList('keys'),
				'API keys with full access, in addition to keys made with `picpipe keys add`.',
			),
		),
		keysSeconds: setting(
			'PICPIPE_KEYS_SECONDS',
			integer(1, 3_600, 'seconds'),
			10,
			'How often API keys are read again from storage. A revoked key is refused everywhere after this time.',
		),
		uploadTokenSeconds: setting(
			'PICPIPE_UPLOAD_TOKEN_SECONDS',
			integer(10, 604_800, 'seconds'),
			3_600,
			'Maximum lifetime of an upload token.',
		),
		corsOrigins: optional(
			'PICPIPE_CORS_ORIGINS',
			originList,
			'Web sites whose pages may call the API from a browser. `*` takes effect only where a key is required.',
		),
		arenaHost: setting(
			'PICPIPE_ARENA_HOST',
			plainText('an IP address or a host name'),
			'127.0.0.1',
			'IP address or host name Arena listens on.',
		),
		arenaPort: setting('PICPIPE_ARENA_PORT', integer(0, 65535, 'port; 0 takes a free one'), 9000, 'Port of Arena.'),
		arenaUrl: optional(
			'PICPIPE_ARENA_URL',
			baseUrl('https://queues.example.org'),
			'Public URL of Arena, for example behind a proxy. Links to Arena begin with it. Default: its host and port.',
		),
		arenaUser: setting('PICPIPE_ARENA_USER', plainText('a name'), 'admin', 'User name of the Arena login.'),
		arenaPassword: secret(
			optional(
				'PICPIPE_ARENA_PASSWORD',
				matching(/^.{8,}$/, 'at least 8 characters'),
				'Password of the Arena login. An API key with the scope `admin` is accepted as the password too.',
			),
		),
	},
	notes: [
		`Clients send an API key as \`Authorization: Bearer <key>\`. Without any API key the API serves only the machine it runs on. Arena asks for
a login, on loopback too, as soon as a password or a key with the scope \`admin\` exists.`,
	],
} as const;
