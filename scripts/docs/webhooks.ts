import { settings } from '../../src/config/index.ts';
import { maximumWebhookSecrets } from '../../src/config/webhooks.ts';
import { maximumEndpoints } from '../../src/webhooks/endpoint.ts';
import { bodyOf, eventDocs, pictureEvent, testEventType } from '../../src/webhooks/event.ts';
import { signedHeaders } from '../../src/webhooks/signature.ts';
import { samplePicture } from './http-sample.ts';
import { code, fence, page, table } from './markdown.ts';

const testDoc =
	'Sent by `POST /v1/webhooks/{id}/test`, whatever the endpoint subscribes to. One attempt is made. `data.webhook` is the id of the endpoint.';

/** Public, so it must never sign anything. */
const sampleSecret = `whsec_${Buffer.from('only an example, never a secret!').toString('base64')}`;

export function webhooksPage(): string {
	const event = pictureEvent(samplePicture);
	const body = bodyOf(event);
	const headers = signedHeaders({ id: event.id, body }, [sampleSecret], Date.parse(event.timestamp) + 1_000);
	const keepDays = Number(settings.webhookKeepSeconds.default) / 86_400;
	return page(
		'Webhooks',
		'src/webhooks and src/config',
		`picpipe notifies other servers of events with signed \`POST\` requests in JSON, as specified by [Standard Webhooks](https://www.standardwebhooks.com) 1.0.
There are three ways to receive webhooks, which can be combined:

- **Endpoints** are created with [\`POST /v1/webhooks\`](http.md#post-v1webhooks). Each has its own secret. There can be up to ${maximumEndpoints}.
- **The configuration** defines one endpoint with \`PICPIPE_WEBHOOK_URL\` and \`PICPIPE_WEBHOOK_SECRETS\`. The API lists it as \`setting\`.
- **The field \`webhook\`** of an upload or a batch is a URL that receives only the events of that picture or batch. \`PICPIPE_WEBHOOK_SECRETS\` sign
  these webhooks; without secrets the field is refused (\`webhook-unsigned\`). Anyone who has one of these secrets can sign like picpipe, so give
  them only to your own receivers. The API lists these deliveries under \`picture\`.`,
		`## Events\n\n${table(
			['Type', 'Meaning'],
			[...Object.entries(eventDocs).map(([type, doc]) => [code(type), doc]), [code(testEventType), testDoc]],
		)}`,
		`A picture that is processed again causes another event. Links are relative to the API.`,
		fence(
			'http',
			`POST /hook HTTP/1.1
content-type: application/json
${Object.entries(headers)
	.map(([name, value]) => `${name}: ${value}`)
	.join('\n')}

${JSON.stringify(JSON.parse(body), null, 2)}`,
		),
		`## Receiving

Verify the signature on the raw bytes of the body, before you parse them. Libraries exist for most languages. In JavaScript:`,
		fence(
			'js',
			`import { Webhook } from 'standardwebhooks';

app.post('/hook', express.raw({ type: 'application/json' }), (request, response) => {
	const event = new Webhook(process.env.SECRET).verify(request.body, request.headers);
	response.status(204).end();
	if (seen(request.headers['webhook-id'])) return;
	if (event.type === 'picture.ready') show(event.data);
});`,
		),
		`- Respond with a status from 200 to 299 within \`PICPIPE_WEBHOOK_SECONDS\` (${settings.webhookSeconds.default}). Any other response is a failed attempt,
  including a redirect.
- **Delivery is at least once.** Every picture that ends \`ready\` or \`failed\` causes an event, even after a crash, so a webhook may arrive twice. Its
  \`webhook-id\` is derived from the event: it is the same both times, and at every endpoint. All attempts and replays of a message have the same body.
- **The order is not guaranteed.** \`timestamp\` is the time of the event. Of two messages about a picture, the one with the higher \`data.revision\` is newer.
- **Several at a time.** An endpoint gets up to ${settings.webhookEndpointConcurrency.default} messages at once (\`PICPIPE_WEBHOOK_ENDPOINT_CONCURRENCY\`), the oldest first, and one at a time while it does
  not respond. The others wait, and delay no other endpoint.
- \`webhook-timestamp\` is the time of the attempt. \`x-request-id\` is the id of the API request that caused the event, if there was one.`,
		`## Public keys

A secret lets a receiver sign, too. A receiver that must only verify takes the public key instead: \`webhook-signature\` also has a signature \`v1a\` (Ed25519 over the same bytes)
for each key pair. Each endpoint has its own; \`publicKeys\` of [\`GET /v1/webhooks/{id}\`](http.md#get-v1webhooksid) shows them as \`whpk_\` and 32 bytes in base64.
For the endpoint of the configuration and for URLs of uploads, set \`PICPIPE_WEBHOOK_SIGNING_KEYS\`. Take the key from the API, never from a message.`,
		`## Attempts

A failed attempt is repeated after ${settings.webhookSchedule.default?.replaceAll(',', ', ')} seconds (\`PICPIPE_WEBHOOK_SCHEDULE\`). A tenth of each delay is random. A longer
\`Retry-After\` is respected, up to \`PICPIPE_WEBHOOK_RETRY_SECONDS\`. Undelivered messages are kept in storage, so they survive the loss of Redis.

Two failures end the attempts at once: a URL that may not be requested (\`PICPIPE_WEBHOOK_SCHEMES\`, \`_HOSTS\`, \`_PORTS\`, \`_NETWORKS\`; the IP address
of the connection is checked too), and a response of 410. A 410 also disables the endpoint. An endpoint is also disabled if a message fails for the whole schedule and no
other message was delivered in that time. A disabled endpoint misses the events of that time; after \`enable\` it receives new ones.

Messages that were given up are kept for ${keepDays} days (\`PICPIPE_WEBHOOK_KEEP_SECONDS\`). \`POST /v1/webhooks/{id}/replay\` delivers all of them again.
\`POST /v1/webhooks/{id}/deliveries/{delivery}/replay\` delivers a single message again, even a delivered one, as long as it is in the log.`,
		`## Rotating a secret

\`POST /v1/webhooks/{id}/rotate-secret\` creates a new secret and a new key pair. For \`keepOldFor\` seconds both secrets sign: the header \`webhook-signature\` contains a signature of each,
and a receiver with either secret accepts the message. To rotate a secret of the configuration, put the new one before the old one, update the receiver, and remove the
old one. Up to ${maximumWebhookSecrets} secrets can sign at the same time.`,
	);
}
