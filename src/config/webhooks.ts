import {
	hostList,
	integer,
	type Kind,
	listOf,
	networkList,
	optional,
	portList,
	schemeList,
	secret,
	setting,
} from './kinds.ts';

/** A secret as Standard Webhooks writes it: `whsec_` and 24 to 64 random bytes in base64. */
const webhookSecretPattern = /^whsec_([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** Bytes of a secret: 192 to 512 bits. */
const webhookSecretBytes = { least: 24, most: 64 };
/** Maximum secrets that sign one message; each adds some 50 characters to its header. */
export const maximumWebhookSecrets = 5;

/** Whether the text is a webhook secret of a valid length. */
export function isWebhookSecret(text: string): boolean {
	const { length } = Buffer.from(text.slice('whsec_'.length), 'base64');
	return webhookSecretPattern.test(text) && length >= webhookSecretBytes.least && length <= webhookSecretBytes.most;
}

/** An Ed25519 private key as Standard Webhooks writes it: `whsk_` and 32 bytes in base64. */
export function isSigningKey(text: string): boolean {
	return /^whsk_[A-Za-z0-9+/]{43}=$/.test(text);
}

const signingKeyList = listOf(
	`1 to ${maximumWebhookSecrets} Ed25519 private keys, each whsk_ and 32 bytes in base64, separated by commas`,
	(item) => (isSigningKey(item) ? item : undefined),
	maximumWebhookSecrets,
);

const webhookSecretList = listOf(
	`1 to ${maximumWebhookSecrets} secrets, each whsec_ and ${webhookSecretBytes.least} to ${webhookSecretBytes.most} bytes in base64, separated by commas`,
	(item) => (isWebhookSecret(item) ? item : undefined),
	maximumWebhookSecrets,
);

/** Delays between attempts. */
const scheduleOfSeconds = listOf(
	'1 to 50 delays from 1 to 604800 (seconds), separated by commas',
	(item) => {
		const delay = /^\d{1,6}$/.test(item) ? Number(item) : 0;
		return delay >= 1 && delay <= 604_800 ? delay : undefined;
	},
	50,
);

const httpUrl: Kind<string> = {
	expected: 'a URL of https or http',
	parse: (value) => (/^https?:$/.test(URL.parse(value)?.protocol ?? '') ? value : undefined),
};

/** Webhook endpoints and deliveries. */
export const webhooks = {
	title: 'Webhooks',
	settings: {
		webhookUrl: secret(
			optional(
				'PICPIPE_WEBHOOK_URL',
				httpUrl,
				'Endpoint that is notified of every event, in addition to endpoints created with `POST /v1/webhooks`.',
			),
		),
		webhookSecrets: secret(
			optional(
				'PICPIPE_WEBHOOK_SECRETS',
				webhookSecretList,
				'Secrets that sign messages to `PICPIPE_WEBHOOK_URL` and to the URLs that uploads name as `webhook`.',
			),
		),
		webhookSigningKeys: secret(
			optional(
				'PICPIPE_WEBHOOK_SIGNING_KEYS',
				signingKeyList,
				'Ed25519 private keys that sign the same messages, for receivers that verify with a public key.',
			),
		),
		webhookSchemes: setting(
			'PICPIPE_WEBHOOK_SCHEMES',
			schemeList,
			'https,http',
			'URL schemes of webhook endpoints. `none` turns webhooks off.',
		),
		webhookHosts: setting('PICPIPE_WEBHOOK_HOSTS', hostList, '*', 'Hosts of webhook endpoints.'),
		webhookPorts: setting('PICPIPE_WEBHOOK_PORTS', portList, '80,443', 'Ports of webhook endpoints.'),
		webhookNetworks: optional(
			'PICPIPE_WEBHOOK_NETWORKS',
			networkList,
			'Private networks that webhooks may reach, like `PICPIPE_FETCH_NETWORKS`.',
		),
		webhookSeconds: setting(
			'PICPIPE_WEBHOOK_SECONDS',
			integer(1, 300, 'seconds'),
			20,
			'Maximum time an endpoint may take to respond.',
		),
		webhookSchedule: setting(
			'PICPIPE_WEBHOOK_SCHEDULE',
			scheduleOfSeconds,
			'5,300,1800,7200,18000,36000,50400,72000,86400',
			'Delays before each further delivery attempt. The default follows Standard Webhooks: about three days in all.',
		),
		webhookRetrySeconds: setting(
			'PICPIPE_WEBHOOK_RETRY_SECONDS',
			integer(0, 604_800, 'seconds'),
			86_400,
			'Longest `Retry-After` of an endpoint that is respected.',
		),
		webhookConcurrency: setting(
			'PICPIPE_WEBHOOK_CONCURRENCY',
			integer(1, 1_000, 'deliveries'),
			16,
			'Webhooks a worker delivers at the same time.',
		),
		webhookEndpointConcurrency: setting(
			'PICPIPE_WEBHOOK_ENDPOINT_CONCURRENCY',
			integer(1, 1_000, 'deliveries'),
			8,
			'Webhooks under way to one endpoint, of all workers together; at most half of `PICPIPE_WEBHOOK_CONCURRENCY`.',
		),
		webhookKeepSeconds: setting(
			'PICPIPE_WEBHOOK_KEEP_SECONDS',
			integer(60, 31_536_000, 'seconds'),
			604_800,
			'How long undelivered webhooks are kept for replay, and how far the delivery log goes back.',
		),
		webhookLog: setting(
			'PICPIPE_WEBHOOK_LOG',
			integer(1, 100_000, 'deliveries'),
			1_000,
			'Latest deliveries of each endpoint in the delivery log; their messages can be replayed.',
		),
	},
	notes: [
		`Every secret of \`PICPIPE_WEBHOOK_SECRETS\` signs each message. To rotate, add the new secret beside the old one, and remove the old one
once every receiver knows the new one. The same holds for \`PICPIPE_WEBHOOK_SIGNING_KEYS\`; \`GET /v1/webhooks/setting\` shows the public keys.
\`echo whsk_$(openssl rand -base64 32)\` makes a key.`,
	],
} as const;
