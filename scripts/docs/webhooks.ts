import { settings } from '../../src/config/index.ts';
import { maximumWebhookSecrets } from '../../src/config/webhooks.ts';
import { maximumEndpoints } from '../../src/webhooks/endpoint.ts';
import { bodyOf, eventDocs, pictureEvent } from '../../src/webhooks/event.ts';
import { signedHeaders } from '../../src/webhooks/send.ts';
import { samplePicture } from './http-sample.ts';
import { code, fence, page, table } from './markdown.ts';

/** As anybody may know it: nothing is signed with it. */
const sampleSecret = `whsec_${Buffer.from('only an example, never a secret!').toString('base64')}`;

export function webhooksPage(): string {
	const event = pictureEvent(samplePicture);
	const body = bodyOf(event);
	const headers = signedHeaders({ id: event.id, body }, [sampleSecret], Date.parse(event.timestamp) + 1_000);
	const keepDays = Number(settings.webhookKeepSeconds.default) / 86_400;
	return page(
		'Webhooks',
		'src/webhooks and src/config',
		`picpipe tells other servers what happens, as [Standard Webhooks](https://www.standardwebhooks.com) 1.0 says: a signed \`POST\` of JSON. There are three ways
to be told, and they may be used together:

- **Endpoints** made with [\`POST /v1/webhooks\`](http.md#post-v1webhooks), at most ${maximumEndpoints}, each with a secret of its own.
- **The settings** \`PICPIPE_WEBHOOK_URL\` and \`PICPIPE_WEBHOOK_SECRETS\`: one endpoint without any call, listed as \`setting\`.
- **The field \`webhook\`** of an upload, or of a batch: an address that is told of that picture, or that batch, alone. It is signed with \`PICPIPE_WEBHOOK_SECRETS\` and refused where there
  are none (\`webhook-unsigned\`). Whoever has one of these secrets can sign like picpipe, so give them to receivers of your own only. Its deliveries are listed
  under \`picture\`.`,
		`## What is told\n\n${table(
			['Type', 'Meaning'],
			Object.entries(eventDocs).map(([type, doc]) => [code(type), doc]),
		)}`,
		`A picture that is processed again is told again. Links are relative to the API.`,
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

Verify the signature over the bytes as they came, before they are parsed; there are libraries for most languages. In JavaScript:`,
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
		`- Answer with 200 to 299, within \`PICPIPE_WEBHOOK_SECONDS\` (${settings.webhookSeconds.default}). Whatever else is answered, redirects too, counts as not taken.
- **At least once.** What ended \`ready\` or \`failed\` is told whatever dies in between, and so it may be told twice. Both times \`webhook-id\` is the same, because it
  follows from what happened; it is the same at every endpoint too. Attempts and replays of a message have the same bytes.
- **In no order.** \`timestamp\` says when it happened; of two messages about a picture the one with the higher \`data.revision\` is the newer.
- \`webhook-timestamp\` is the time of the attempt.`,
		`## Attempts

What was not taken is tried again after ${settings.webhookSchedule.default?.replaceAll(',', ', ')} seconds (\`PICPIPE_WEBHOOK_SCHEDULE\`), a tenth of each left to chance. A
\`Retry-After\` that asks for more is honoured, up to \`PICPIPE_WEBHOOK_RETRY_SECONDS\`. What waits lies in the storage: no loss of Redis makes it forgotten.

An address that may not be asked (\`PICPIPE_WEBHOOK_SCHEMES\`, \`_HOSTS\`, \`_PORTS\`, \`_NETWORKS\`; checked on the connected address) ends it at once, and
so does 410, which also disables the endpoint. An endpoint is disabled too when a message was tried to the end of its schedule and nothing else was taken in that time.
A disabled endpoint is told nothing, also not later, of what happens meanwhile; \`enable\` changes that from then on.

What could not be delivered is kept for ${keepDays} days (\`PICPIPE_WEBHOOK_KEEP_SECONDS\`): \`POST /v1/webhooks/{id}/replay\` delivers all of it again, and
\`POST /v1/webhooks/{id}/deliveries/{delivery}/replay\` one message, also one that was taken and is still in the log.`,
		`## Changing a secret

\`POST /v1/webhooks/{id}/rotate-secret\` makes a new one. For \`keepOldFor\` seconds both sign, the header \`webhook-signature\` has a signature for each, and a receiver with
either of them takes the message. With the settings, put the new secret before the old one, change the receiver, and take the old one away. At most ${maximumWebhookSecrets} sign at the
same time.`,
	);
}
