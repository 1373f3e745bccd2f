import { scopeDocs, scopes } from '../../src/access/scope.ts';
import { maximumWait } from '../../src/api/contract.ts';
import { pictureView } from '../../src/api/picture-view.ts';
import { type Route, routes } from '../../src/api/routes.ts';
import { offsetType, tusVersion } from '../../src/api/tus/tus-headers.ts';
import { maximumIdempotencyKey } from '../../src/api/upload/idempotency-key.ts';
import { settings } from '../../src/config/index.ts';
import { maximumParts } from '../../src/intake/upload-parts.ts';
import { metricTable } from '../../src/observe/metrics.ts';
import { arenaJobPath } from '../../src/queue/arena-link.ts';
import { jobOf } from '../../src/queue/jobs.ts';
import { samplePicture } from './http-sample.ts';
import { code, fence, fieldsTable, page, table } from './markdown.ts';

/** What a caller needs to know beyond the table of routes, by method and path. */
const notes: Readonly<Record<string, string>> = {
	'POST /v1/pictures': `The body is \`multipart/form-data\` with one or many files, under any field names, or the picture itself with an \`image/*\` type or
\`application/octet-stream\`. What kind of picture it is, is decided from its bytes; names and content types are not asked.

\`\`\`sh
curl -F file=@photo.jpg -F recipe=web -F tags=holiday,2026 http://127.0.0.1:3000/v1/pictures
curl --data-binary @photo.jpg -H 'content-type: image/jpeg' 'http://127.0.0.1:3000/v1/pictures?tags=holiday'
curl -H 'content-type: application/json' -d '{"url":"https://example.org/photo.jpg"}' http://127.0.0.1:3000/v1/pictures
\`\`\`

With JSON the picture is fetched later, by a job on the queue \`fetches\`; \`urls\` takes many. Until it is there, \`source\` has a \`url\` and nothing about bytes, and
there is no \`links.original\`. Which addresses may be asked is [set](configuration.md#fetching-pictures-by-url): by default \`https\` and \`http\` on their own ports, of
any public host. Schemes, ports, hosts and literal addresses are looked at before the answer, names and redirects by the job, which fails with the same codes. What may
pass (5xx, 429, time-outs, lost connections) is tried again, no sooner than \`Retry-After\` says. Addresses are shown without their query, which may
hold a signature.

| Answer | When |
|---|---|
| 202, the picture, \`Location\` | Accepted: the original, or the address that it is to be fetched from, is durably stored and the picture will end \`ready\` or \`failed\`, whatever dies. |
| 202, \`{ pictures, refused }\` | Several files or \`urls\`, at least one of them accepted. \`refused\` names the others by \`filename\` or \`url\`, each with its problem. |
| 201 instead of 202 | With \`Prefer: wait=N\` (RFC 7240; N seconds, at most ${maximumWait}) everything accepted has ended, \`ready\` or \`failed\`, in time. |
| the same as before, \`Idempotency-Replayed: true\` | The same request with the same \`Idempotency-Key\`: nothing was made again. |
| 409 \`idempotency-key-in-use\` | A request with this \`Idempotency-Key\` is under way; \`Retry-After\` says when to ask again. |
| 422 \`idempotency-key-reused\` | Another request had this \`Idempotency-Key\`. |
| 200 | With \`duplicates=link\` or \`dedupe\`, if nothing is new: the stored picture, unchanged. An answer for several files lists the ids of stored ones in \`linked\`. |
| 409 \`duplicate-picture\` | With \`duplicates=refuse\`; \`pictureId\` is the picture that has these bytes. |
| another problem | Nothing was accepted and nothing is kept. |

Fields of a form may also be given as query parameters; those in the form win.

#### Sending it again

A client that got no answer doesn't know whether the picture was accepted. With the header \`Idempotency-Key\`
([draft-ietf-httpapi-idempotency-key-header-07](https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07)) it may send the same request
again, as often as it likes and to any api: there will be one picture, and the answer is the one that it missed.

\`\`\`sh
curl -F file=@photo.jpg -H 'Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"' http://127.0.0.1:3000/v1/pictures
\`\`\`

The key is a string of 1 to ${maximumIdempotencyKey} visible ASCII characters and spaces in double quotes (without them too, where it has neither spaces nor any of \`" , ; \\\`), best a new UUID for
each upload. It is known for \`PICPIPE_IDEMPOTENCY_SECONDS\`, ${settings.idempotencySeconds.default} seconds unless set otherwise, from when the request had come in; then it is a new key. Keys of other callers, and of
other upload tokens, are other keys. The same request means the same fields, file names and bytes. Only answers that accepted something are kept: whoever was refused may try
again with the same key. \`Prefer: wait\` counts anew each time. It works without Redis, and after a loss of all of Redis's data.

\`link\` answers with any picture that has the same bytes, whatever its recipe and tags; \`dedupe\` only with one of the same recipe. \`refuse\`, \`link\` and \`dedupe\` need the index: without Redis, or before the index is whole, the answer is 503. Of equal uploads at the same
moment, one is accepted. Only bytes count; \`similar\` finds what merely looks the same.`,
	'GET /v1/pictures':
		'Answers `{ pictures, next }`. `next` is there when there is more: pass it as `cursor`. A page can be shorter than `limit`, even empty, and still have a `next`.',
	'GET /v1/pictures/:id/original':
		'Supports `Range`, `If-Range`, `If-None-Match`, `If-Modified-Since` and `HEAD`. The original holds whatever metadata it came with, so keep it to yourself.',
	'GET /v1/pictures/:id/variants/:variant':
		'A name alone gets the first encoding of the recipe. Supports the same as the original. The ETag is the SHA-256 of the bytes; the address stays the same when the picture is made again, so caches have to ask (`private, no-cache`).',
	'GET /v1/pictures/:id/similar':
		'Answers `{ pictures, complete }`: each with its `distance` and `picture`, the nearest first and of equally near ones the newest. Only pictures whose recipe asks for `phash`, as all built-in ones do, are found or can be asked about (`not-hashed`). Every picture within the distance is found; when very many look alike only the first thousands of them are compared, and `complete` is false.',
	'DELETE /v1/pictures/:id':
		'204. A worker that is at it throws its work away at the end. Without Redis: 503, nothing deleted.',
	'OPTIONS /v1/uploads': `204 with \`Tus-Version\`, \`Tus-Extension\`, \`Tus-Max-Size\` and \`Tus-Checksum-Algorithm\`. The other requests name the version, \`Tus-Resumable: ${tusVersion}\`, or get
412. Any client of [tus](https://tus.io/protocols/resumable-upload) will do:

\`\`\`js
new tus.Upload(file, {
	endpoint: 'https://pictures.example.org/v1/uploads',
	headers: { Authorization: \`Bearer \${token}\` },
	metadata: { filename: file.name, filetype: file.type, tags: 'holiday,2026' },
	onSuccess: ({ lastResponse }) => show(lastResponse.getHeader('Picpipe-Picture')),
}).start();
\`\`\`

Where only GET and POST get through, \`X-HTTP-Method-Override\` names the method.`,
	'POST /v1/uploads': `201, \`Location\` and the upload as JSON, as GET shows it. \`Upload-Length\`, or \`Upload-Defer-Length: 1\` and the length later. What is asked for is checked now, before a
byte is sent, and stays as it is now, the recipe too. \`filetype\`, \`type\` and \`relativePath\`, which clients such as Uppy send along, are ignored, because the bytes decide; \`name\` is taken for \`filename\`.

With \`Content-Type: ${offsetType}\` the body is the beginning of the file, or all of it. With \`Upload-Concat: partial\` the upload is a part of a file, and \`Upload-Concat: final;/v1/uploads/… /v1/uploads/…\`
makes a picture of such parts, which have to be complete; they are deleted when it is there. The same request again finds the same picture.

An upload belongs to the key or the upload token that began it; for others it is not there (404). With a token, uploads may only begin while it is good; they may be gone on with later. \`Upload-Expires\`
says until when: \`PICPIPE_RESUMABLE_SECONDS\` after the last byte.`,
	'HEAD /v1/uploads/:id': `\`Upload-Offset\`, \`Upload-Length\` or \`Upload-Defer-Length\`, \`Upload-Metadata\`, \`Upload-Concat\`, \`Upload-Expires\`. One that has become a picture names it in \`Picpipe-Picture\`; one that was
refused is answered with the status of its refusal. If all bytes are there and no answer came, it becomes a picture now. Another request that is taking bytes is cut off, and what it has brought counts;
one of another api is not: 423 \`upload-locked\`.`,
	'GET /v1/uploads/:id': `\`{ id, state, offset, length, createdAt, expiresAt, filename, recipe, tags, picture, isNew, problem, links }\`. \`state\` is \`incomplete\`, \`complete\` (then \`picture\` is its id, a partial upload
apart) or \`refused\` (then \`problem\` says why). Needs no \`Tus-Resumable\`.`,
	'PATCH /v1/uploads/:id': `The bytes from \`Upload-Offset\` on, as \`${offsetType}\`. 204 with the new \`Upload-Offset\`; after the last byte also \`Picpipe-Picture\` and a \`Link\` to it, and
the promise of a 202: the picture will end \`ready\` or \`failed\`, whatever dies.

| Problem | When |
|---|---|
| 409 \`wrong-offset\` | Upload-Offset does not match the current offset: ask with HEAD. |
| 460 \`checksum-mismatch\` | The bytes are not those of \`Upload-Checksum\`; none of them were kept. Without a checksum, what came of a body that was cut off is kept. |
| 413 \`file-too-large\`, \`too-many-parts\` | More than \`Upload-Length\`; more than ${maximumParts} requests. |
| 415 \`unsupported-type\`, 409 \`duplicate-picture\` | With the last byte: there will be no picture. The bytes are gone, and the upload tells why until it expires. |
| 429, 503, 507 | What has come stays. With the last byte there, an empty PATCH or a HEAD tries again. |
| 404 \`upload-not-found\`, 410 \`upload-expired\`, 423 \`upload-locked\` | |`,
	'DELETE /v1/uploads/:id': '204.',
	'POST /v1/upload-tokens': `201 and \`{ token, expiresAt, recipe, tags, priority, maxBytes, maxPictures }\`. Whoever has the token can upload pictures of that recipe and size until it ends, as
\`Authorization: Bearer <token>\` or with \`?token=<token>\` in the address, and nothing else. What stands in the token can't be given again
(\`fixed-by-token\`): beside the file, only \`filename\` may be. Uploads with it count against the limits of the key that made it, and it ends when
that key is revoked.

\`\`\`sh
curl -H "Authorization: Bearer $PICPIPE_KEY" -H 'content-type: application/json' \\
  -d '{"recipe":"web","maxBytes":10000000,"expiresIn":600,"tags":["guest"]}' http://127.0.0.1:3000/v1/upload-tokens
\`\`\``,
	'POST /v1/pictures/:id/retry': '202 and the picture; `not-failed` for one that is not `failed`.',
	'POST /v1/pictures/:id/process':
		'202 and the picture, or 200 when it is ready and there is nothing to do; `picture-busy` while a worker is at it. Without a body, or with an empty object, the picture is made with its recipe as it is now. Only variants whose digest has changed, or whose file is gone, are made; the others are kept. Variants that the recipe no longer names are deleted when the new ones are there.',
	'GET /v1/recipes':
		'Answers `{ default, inline, problem, recipes, schema }`: each recipe with its digest and every default filled in; whether a request may bring its own (`inline`); why the recipes file as it is now was refused (`problem`, absent when it was not); and what a recipe may be, as JSON Schema.',
	'GET /v1/operations':
		'Answers `{ operations, encoders, analyse, analysis }`; each operation and encoder with its options as JSON Schema, and an example as it stands in a recipe; the names that `analyse` takes; and in `analysis` each of them with what it is and the JSON Schema of what it finds.',
	'POST /v1/batches': `201 with the batch and \`Location\`. Uploads join it with the field \`batch\`: forms, bodies, addresses, resumable uploads, upload tokens that were made for
it, and \`picpipe upload --batch\`. It ends when it is closed and each of its pictures is \`ready\` or \`failed\`; then [\`batch.finished\`](webhooks.md#what-is-told) is told, once.

\`\`\`sh
curl -H 'content-type: application/json' -d '{"expect":2}' http://127.0.0.1:3000/v1/batches
curl -F file=@1.jpg -F file=@2.jpg -F batch=batch_01kbpx5c9ye8kr5pm3v1kxkq0a http://127.0.0.1:3000/v1/pictures
curl -H 'Prefer: wait=60' http://127.0.0.1:3000/v1/batches/batch_01kbpx5c9ye8kr5pm3v1kxkq0a
\`\`\`

It is closed by \`POST /v1/batches/{id}/close\`, by \`close\` when it is made, by as many accepted pictures as it \`expect\`s (more may get in where they come at the same moment), or by itself
after \`PICPIPE_BATCH_SECONDS\`. Then uploads into it are refused as \`batch-closed\`. Files that are refused, and those that \`duplicates\` links to a picture that is there, are no part of it.
With \`urls\` the answer has \`pictures\` and \`refused\` too, as [uploads](#post-v1pictures) have. With an \`Idempotency-Key\` the same request makes one batch.`,
	'GET /v1/batches/:id':
		'`state` is `open`, `closed` or `finished`; `counts` has the number of its pictures by state, absent while Redis is away; `finished` says when it ended, and how its pictures had ended then. Processing or retrying one of them later changes `counts` alone. With `Prefer: wait=N` the answer comes when it is finished, or after so many seconds.',
	'POST /v1/batches/:id/close': 'Answers the batch, finished already when nothing of it is under way.',
	'GET /v1/failures':
		'Answers `{ total, failures }`: each `class` and `code` with its sentence, `count`, when the first and the last of those that are still failed did so, the ids of the `latest` five, and in `links.pictures` the address of all of them. [Errors](errors.md) says what the classes mean. The original of each is kept and can be fetched.',
	'GET /v1/failures/quarantine':
		'Answers `{ pictures, next }`: those that failed as `imaging-process-died`, `picture-timeout` or `worker-lost`. `failure` says in which `attempt`, and in `seen`, as far as it is known, the last step that was finished (`lastStep`), the `megapixels` that were decoded and the most memory that the process was seen with (`residentBytes`).',
	'POST /v1/failures/retry':
		'202 with `{ queued, passed, left, more }`: pictures that wait behind all other work now; those that somebody else had deleted or queued meanwhile; those that could not be queued, of which the log says why; and whether there may be others, for another call. Each keeps its recipe as it was.',
	'POST /v1/webhooks':
		'201 with the endpoint, `Location`, and its `secret`, which no other answer shows. [Webhooks](webhooks.md) says what it is told and how. `address-not-allowed`, `url-not-allowed` and `url-unsupported` where the address may not be asked; names are looked up when there is something to tell. Workers know of a new endpoint within two seconds.',
	'GET /v1/webhooks':
		'Answers `{ webhooks }`, with the endpoint of the settings as `setting`. Each with `state`, `enabled` or `disabled` (then `disabled` says since when and why: `gone`, `failing` or `asked`), `failingSince` while nothing is taken, and the times of its secrets. Addresses are shown without their query.',
	'DELETE /v1/webhooks/:id': '204. That of the settings stays: `webhook-fixed`.',
	'POST /v1/webhooks/:id/rotate-secret': 'Answers the endpoint with its new `secret`, which no other answer shows.',
	'POST /v1/webhooks/:id/replay':
		'202 with `{ replayed }`. Each message begins its schedule anew. `webhook-disabled` where the endpoint has to be enabled first.',
	'GET /v1/webhooks/:id/deliveries':
		'Answers `{ deliveries, next }`; each with its `state` (`waiting`, `delivered`, `failed`) and `attempts`: number, time, milliseconds, and the status of the answer and its beginning, or the error. `picture` for `{id}` lists what went to addresses that uploads named, `setting` what went to that of the settings. The log is in Redis and holds the latest `PICPIPE_WEBHOOK_LOG`.',
	'GET /v1/webhooks/:id/deliveries/:delivery': 'The same with `body`, which is what is sent.',
	'POST /v1/webhooks/:id/deliveries/:delivery/replay':
		'202 with the delivery: the same bytes with the same `webhook-id`. `webhook-disabled`, or `delivery-busy` while it is being delivered.',
	'GET /v1/queues':
		'Answers `{ queues }`; each with `name`, `paused`, `workers` and `counts` by state. [Queues](queues.md) says what they are for.',
	'POST /v1/queues/:name/pause': 'Workers finish what they have. Uploads are still accepted.',
	'POST /v1/queues/:name/clean': 'Answers `{ removed }`.',
	'GET /metrics': `The text format of Prometheus, which sends \`Authorization: Bearer\` with a key of the scope \`admin\`; without any key there, this machine alone is answered.
[Metrics](#metrics) lists what there is. While Redis is away it still answers, with what this api knows and \`picpipe_redis_up 0\`.`,
	'GET /readyz':
		'200 or 503 with `{ status, checks }`. The storage has to take, return and delete an object, and Redis to answer. Uploads are accepted without Redis too: ask `?exclude=redis` where only that matters.',
};

export function httpPage(): string {
	const unknown = Object.keys(notes).filter((key) => !routes.some((route) => keyOf(route) === key));
	if (unknown.length > 0) throw new Error(`There are notes about routes that are not there: ${unknown.join(', ')}`);
	const { queue, id } = jobOf(samplePicture);
	const job = arenaJobPath(queue, id);
	return page(
		'HTTP API',
		'src/api/routes.ts and src/api/contract.ts',
		`The API listens on \`PICPIPE_HOST\` and \`PICPIPE_PORT\`, \`http://127.0.0.1:3000\` unless set otherwise.

- **Access.** With an API key there, every call needs \`Authorization: Bearer <key>\` with the scope that it names, those apart that say otherwise.
  Without any, only this machine is served: from loopback, under a loopback name, and not through a proxy. [Keys](#keys-and-limits) says more.
- **Browsers.** What a browser sends on behalf of another web site is refused with \`cross-site\`, reading apart, unless \`PICPIPE_CORS_ORIGINS\` names the
  site; its pages may call the API then, with a key or an upload token of theirs. There are no cookies and no credentials.
  Pictures below \`/img\`, \`/ipx\` and \`/cld\` any site may ask for, from scripts too.
- **Room.** While more jobs wait than \`PICPIPE_MAX_QUEUE\` (\`queue-full\`), or less room is left than \`PICPIPE_MIN_DISK_FREE\` (\`storage-nearly-full\`), uploads get 503
  with \`Retry-After\`. Whatever is refused is refused before the body is read; \`Expect: 100-continue\` saves sending it.
- **Time.** A body that comes more slowly than \`PICPIPE_MIN_UPLOAD_SPEED\` gets 408 \`upload-too-slow\`.
- **Errors** are problem documents with a \`code\`; [errors](errors.md) lists them. No cache keeps them. Unknown fields are refused, not ignored.
- **Request ids.** Every answer has \`X-Request-Id\`, and the log says it too. One that comes with the request is kept if it is 8 to 64
  letters, digits, \`.\`, \`_\` and \`-\`.
- **HEAD** works wherever GET does. A method that an address does not know gets 405 with \`Allow\`.`,
		`## Keys and limits

\`picpipe keys add --name <name> --scope <scopes>\` makes a key and shows it once; \`picpipe keys list\` and \`picpipe keys revoke <id>\` do the rest. Keys
of \`PICPIPE_API_KEYS\` may do everything. A revoked key is refused everywhere within \`PICPIPE_KEYS_SECONDS\`.

${table(
	['Scope', 'What it is for'],
	scopes.map((scope) => [code(scope), scopeDocs[scope]]),
)}

With \`--recipe\` a key may upload and process with these recipes only (\`recipe-not-allowed\`). Its limits, all optional:

${table(
	['Flag', 'Policy', 'What is counted', 'Refused as'],
	[
		[code('--rate 60/min'), code('rate'), 'requests in a span of time', code('rate-exceeded')],
		[code('--concurrency 4'), code('concurrency'), 'requests under way at the same time', code('concurrency-exceeded')],
		[
			code('--per-day 1000'),
			code('day'),
			'pictures accepted since 00:00 UTC, those fetched and those with upload tokens among them',
			code('quota-exceeded'),
		],
	],
)}

Answers to a key with limits tell them in \`RateLimit-Policy\` and what is left in \`RateLimit\`, as draft-ietf-httpapi-ratelimit-headers-11 says; of pictures, what was left
before this request. A refusal is 429 with \`Retry-After\`:

${fence(
	'http',
	`HTTP/1.1 429 Too Many Requests
RateLimit-Policy: "rate";q=60;w=60, "concurrency";q=4;qu="concurrent-requests", "day";q=1000;w=86400;qu="pictures"
RateLimit: "rate";r=0;t=23, "concurrency";r=3, "day";r=871;t=41870
Retry-After: 23`,
)}

Limits are held in Redis, for all apis together. While it is away each api counts for itself, and uploads go on.`,
		`## A picture`,
		fence('json', JSON.stringify(pictureView(samplePicture, { jobUrl: `http://127.0.0.1:9000${job}` }), null, 2)),
		`\`state\` is \`queued\`, \`processing\`, \`ready\` or \`failed\`; a failed picture has \`failure\` ([errors](errors.md#in-a-picture)). \`revision\` grows
with every change. \`links\` lead on; \`links.job\` is the page of its job in Arena.

A queued picture has \`waiting\` when every worker that has seen its job is too old for its recipe: the \`reason\` names what the workers do not know, such as an
operation, and \`since\` is the time of the first look. A newer worker makes the picture; no attempt is spent until then.`,
		'## Calls',
		...routes.map(routeText),
		metricsText(),
	);
}

function metricsText(): string {
	const shown = Object.entries(metricTable).map(([name, { type, labels, of, help }]) => [
		code(name),
		type,
		labels.map(code).join(', '),
		of === 'redis' ? 'all' : 'the api',
		help,
	]);
	return `## Metrics

What \`GET /metrics\` shows beside what every Node process has (\`process_…\`, \`nodejs_…\`). Metrics of the api are counted by the api that is asked, from its start. Those of all
are read from Redis, at most once a second, are the same at every api, and absent while Redis is away; take one api's (\`max\`), don't add them up.

${table(['Name', 'Type', 'Labels', 'Of', 'What'], shown)}

Classes and codes are those of the [errors](errors.md), queues those of the [queues](queues.md). The \`outcome\` of an attempt is \`succeeded\`, \`unneeded\` (deleted, disabled, or done
already), \`retried\` (failed, another follows) or \`failed\` for good. Attempts lie in Redis alone and begin anew when it has lost its data, as a counter may. Webhooks that are still
to be delivered, or could not be, are \`picpipe_jobs\` of the queue \`webhooks\`.

${fence(
	'yaml',
	`scrape_configs:
  - job_name: picpipe
    authorization: { credentials: picpipe_... }
    static_configs: [{ targets: ['127.0.0.1:3000'] }]`,
)}`;
}

function keyOf({ method, path }: Route): string {
	return `${method} ${path}`;
}

function routeText(route: Route): string {
	const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
	return [
		`### ${route.method} ${path}`,
		route.doc,
		route.scope === 'open'
			? 'Needs no key.'
			: `Scope: \`${route.scope}\`${route.intake ? ', or an upload token' : ''}.`,
		notes[keyOf(route)],
		route.query && `Query parameters${route.form ? ' of a raw body' : ''}:\n\n${fieldsTable(route.query)}`,
		route.form && `Fields of a form:\n\n${fieldsTable(route.form)}`,
		route.metadata && `Fields of \`Upload-Metadata\`:\n\n${fieldsTable(route.metadata)}`,
		route.json && `JSON body (${code('application/json')}):\n\n${fieldsTable(route.json)}`,
	]
		.filter(Boolean)
		.join('\n\n');
}
