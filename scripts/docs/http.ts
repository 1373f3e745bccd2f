import { scopeDocs, scopes } from '../../src/access/key-rights.ts';
import { maximumWait, mostFullPictures } from '../../src/api/contract.ts';
import { pictureView } from '../../src/api/picture-view.ts';
import { type Route, routes } from '../../src/api/routes.ts';
import { offsetType, tusVersion } from '../../src/api/tus/tus-headers.ts';
import { ignoredFields } from '../../src/api/upload/form-fields.ts';
import { maximumIdempotencyKey } from '../../src/api/upload/idempotency-key.ts';
import { countedTotal } from '../../src/catalog/lists/pages.ts';
import { settings } from '../../src/config/index.ts';
import { longestTag, metaLimits } from '../../src/domain/labels.ts';
import { maximumParts } from '../../src/intake/upload-parts.ts';
import { metricTable } from '../../src/observe/metrics.ts';
import { arenaJobPath, jobOf } from '../../src/queue/jobs.ts';
import { samplePicture } from './http-sample.ts';
import { code, fence, fieldsTable, page, table } from './markdown.ts';

/** Notes for callers beyond the table of routes, by method and path. */
const notes: Readonly<Record<string, string>> = {
	'POST /v1/pictures': `The body is \`multipart/form-data\` with one or more files, under any field names, or the picture itself with an \`image/*\` type or
\`application/octet-stream\`. The bytes decide the format; file names and content types do not matter.

\`\`\`sh
curl -F file=@photo.jpg -F recipe=web -F tags=holiday,2026 http://127.0.0.1:3000/v1/pictures
curl --data-binary @photo.jpg -H 'content-type: image/jpeg' 'http://127.0.0.1:3000/v1/pictures?tags=holiday'
curl -H 'content-type: application/json' -d '{"url":"https://example.org/photo.jpg"}' http://127.0.0.1:3000/v1/pictures
\`\`\`

Form fields can also be query parameters; a field in the form wins.

#### Fields of forms, and metadata

Pages send more than the fields below: those of upload widgets, of web frameworks, and those of their authors. A field of a form, or a name in \`Upload-Metadata\`, is read in this order:

1. The fields of picpipe count. \`tags[]\` is \`tags\`; a repeated field is a list.
2. The fields of this table are ignored.
3. A name that differs from a field of picpipe by a letter or two, such as \`recpie\` or \`Tags\`, is refused as \`unknown-field\`.
4. Every other field is metadata of the picture. \`meta[name]\` is metadata under any name.

${table(
	['Ignored', 'Sent by'],
	ignoredFields.map(({ names, by }) => [names.map(code).join(', '), by]),
)}

A text field under the name of a file's field, as FilePond sends it, is ignored too, but for JSON: its texts, numbers and truth values are metadata. A chunk of a file (\`dztotalchunkcount\`
above 1) is refused. A file input in which nothing was chosen counts as absent.

Metadata is kept with the picture as \`meta\`, an object of texts, in every response and webhook about it. Nothing in picpipe acts on it. A picture has at most ${metaLimits.entries} names of up
to ${metaLimits.key} characters: letters and digits of any language, spaces and \`_ . : / @ -\`, beginning with a letter or digit. A value has at most ${metaLimits.value.toLocaleString('en')} bytes, names and values together
${metaLimits.total.toLocaleString('en')}. Control characters other than tabs and line breaks are refused.

A tag has 1 to ${longestTag} characters of any language, with spaces, and begins with a letter, a digit or an emoji. Control characters and \`, < > " \\ \`\` \` \`\` are refused. Spaces at the ends are removed, and
letters are normalised (NFC), also in the query \`tag\` of a list.

| Response | When |
|---|---|
| 202 with the picture and \`Location\` | Accepted and durably stored: the picture will end \`ready\` or \`failed\`, whatever crashes. |
| 202 with \`{ pictures, refused }\` | Several files or \`urls\`, at least one accepted. \`refused\` lists the others by \`filename\` or \`url\`, with their problems. |
| 201 instead of 202 | With \`Prefer: wait=N\` (RFC 7240), every accepted picture finished within N seconds, at most ${maximumWait}. |
| 202 with \`retrying\` | With \`Prefer: wait=N\` and a URL: the remote server could not be reached or responded with an error. See below. |
| 200 | With \`duplicates=link\` or \`dedupe\`, every picture existed before. |
| 409 \`duplicate-picture\` | With \`duplicates=refuse\`; \`pictureId\` names the picture with these bytes. |
| the first response with \`Idempotency-Replayed: true\` | The same request with the same \`Idempotency-Key\`. No picture was created again. |
| 409 \`idempotency-key-in-use\` | A request with this \`Idempotency-Key\` is in progress; retry after \`Retry-After\`. |
| 422 \`idempotency-key-reused\` | A different request used this \`Idempotency-Key\`. |
| another problem | No picture was accepted and no bytes are kept. |

#### Uploads by URL

With JSON, a job of the queue \`fetches\` fetches the picture later; \`urls\` takes several. Until then, \`source\` has a \`url\` and no size, and there is no \`links.original\`.
The [settings](configuration.md#fetching-pictures-by-url) limit the allowed URLs: by default \`https\` and \`http\` on their own ports, from any public host.
Schemes, ports, hosts and literal IP addresses are checked before the response. The job checks DNS names and redirects, and fails with the same codes. It retries 5xx, 429,
time-outs and lost connections, and respects \`Retry-After\`. A request with \`Prefer: wait=N\` waits for one attempt: if it fails, the response has
\`retrying\` with the \`class\`, \`code\` and \`message\` of the failure and the time of the next attempt (\`at\`). The API shows URLs without their query, which may hold a signature.

#### Repeated requests

A client that got no response cannot know whether the picture was accepted. With the header \`Idempotency-Key\`
([draft-ietf-httpapi-idempotency-key-header-07](https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07)) it can repeat the request
as often as needed, at any API process: there is one picture, and every repetition gets the first response.

\`\`\`sh
curl -F file=@photo.jpg -H 'Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"' http://127.0.0.1:3000/v1/pictures
\`\`\`

- The key is a string of 1 to ${maximumIdempotencyKey} visible ASCII characters and spaces in double quotes. Use a new UUID for each upload. The quotes are optional for a key without
  spaces and without \`" , ; \\\`.
- A key is remembered for \`PICPIPE_IDEMPOTENCY_SECONDS\`, ${settings.idempotencySeconds.default} seconds by default, after the request was received. Every API key and upload token has its own.
- A repeated request has the same fields, file names and bytes.
- Only responses that accepted a picture are remembered. A refused request can be repeated with the same key.
- \`Prefer: wait\` starts again each time.
- It works without Redis, and after Redis has lost all its data.

#### Duplicates

\`duplicates=link\` returns the picture that has the same bytes, with its own recipe and tags; \`dedupe\` does so for a picture of the same recipe. In a response with several
pictures, \`linked\` lists the ids of those that existed before. Of equal uploads at the same moment, one is accepted. \`refuse\`, \`link\` and \`dedupe\` need the index: without Redis, or
before the index is complete, the response is 503. Only equal bytes count; \`similar\` finds pictures that look alike.`,
	'GET /v1/pictures': `Returns \`{ pictures, next, total }\`. Pass \`next\` as \`cursor\` to get the next page; the last page has none. A page can have fewer pictures than \`limit\`, even none, and still have a
\`next\`: a state with a tag, a recipe, an owner or a batch always fills its page; more filters together may need several. The first page has \`total\`, \`{ count, exact }\`. It is exact for a single filter; otherwise
at most ${countedTotal} matches are counted, and \`exact\` is false if there may be more.

Each picture is a summary with the names of \`GET /v1/pictures/{id}\`: id, state, revision, times, owner, priority, tags, batch, source, recipe, dimensions, ThumbHash, failures and links. Of the first
variants it has name, format, size, URL and a \`version\` that changes with the bytes; \`variantCount\` counts all of them. \`view=full\` lists whole pictures, at most ${mostFullPictures} per page.

With \`filename\`, pictures are ordered by name, and their cursors differ from those of other lists. Times are those at which the upload began.`,
	'GET /v1/tags':
		'Returns `{ tags, next }`; each has a `tag` and the `count` of its pictures. Keys that see only the pictures of their owner get the tags of these.',
	'GET /v1/pictures/:id/original':
		'Supports `Range`, `If-Range`, `If-None-Match`, `If-Modified-Since` and `HEAD`. The original keeps all its metadata, such as the location of a photograph, so do not publish it.',
	'GET /v1/pictures/:id/variants/:variant':
		'A name alone returns the first encoding of the recipe. Supports the same headers as the original. The ETag is the SHA-256 of the bytes. The URL stays the same when the picture is processed again, so caches have to revalidate (`private, no-cache`).',
	'GET /v1/pictures/:id/similar':
		'Returns `{ pictures, complete }`: each entry has a `distance` and a `picture`, nearest first, then newest first. It covers pictures whose recipe analyses `phash`, as all built-in recipes do; for others the response is `not-hashed`. If very many pictures look alike, only the first thousands are compared, and `complete` is false.',
	'DELETE /v1/pictures/:id':
		'204. Everything known about the picture is deleted from storage and Redis: files, records of its upload, waiting webhooks, jobs. A worker that is processing it discards its work. Without Redis the response is 503. A deletion that was interrupted is finished by a repeated call, or by itself. A repeated upload with the `Idempotency-Key` of the picture gets 410 `picture-deleted`.',
	'OPTIONS /v1/uploads': `204 with \`Tus-Version\`, \`Tus-Extension\`, \`Tus-Max-Size\` and \`Tus-Checksum-Algorithm\`. The other requests need \`Tus-Resumable: ${tusVersion}\`, or the response is
412. Any [tus](https://tus.io/protocols/resumable-upload) client works:

\`\`\`js
new tus.Upload(file, {
	endpoint: 'https://pictures.example.org/v1/uploads',
	headers: { Authorization: \`Bearer \${token}\` },
	metadata: { filename: file.name, filetype: file.type, tags: 'holiday,2026' },
	onSuccess: ({ lastResponse }) => show(lastResponse.getHeader('Picpipe-Picture')),
}).start();
\`\`\`

Where a proxy allows only GET and POST, \`X-HTTP-Method-Override\` names the method.`,
	'POST /v1/uploads': `201 with \`Location\` and the upload as JSON, as GET shows it. Send \`Upload-Length\`, or \`Upload-Defer-Length: 1\` and the length later. The fields are checked before the
first byte is sent, and keep their meaning: a recipe that changes later does not change the upload.

- \`name\`, which clients such as Uppy send, is another name for \`filename\`. Further names are read as [fields of a form](#fields-of-forms-and-metadata) are: ignored, refused as
  misspelt, or metadata of the picture. \`meta[name]\` may have its name percent-encoded.
- With \`Content-Type: ${offsetType}\` the body is the beginning of the file, or the whole file.
- With \`Upload-Concat: partial\` the upload is a part of a file. \`Upload-Concat: final;/v1/uploads/… /v1/uploads/…\` creates a picture of complete parts and then deletes the parts.
  The same request again finds the same picture.
- An upload belongs to the group of the API key that created it, or to the upload token. An upload token must be valid when the upload begins, and may expire before it ends.
- \`Upload-Expires\` tells how long the upload can be resumed: \`PICPIPE_RESUMABLE_SECONDS\` after the last byte.`,
	'HEAD /v1/uploads/:id': `Returns \`Upload-Offset\`, \`Upload-Length\` or \`Upload-Defer-Length\`, \`Upload-Metadata\`, \`Upload-Concat\` and \`Upload-Expires\`. A finished upload names its picture in
\`Picpipe-Picture\`; a refused upload returns the status of its refusal. If all bytes are stored and no response was sent, this request creates the picture. A request that is sending
bytes to the same API process is interrupted, and its bytes are kept. At another API process it is not: 423 \`upload-locked\`.`,
	'GET /v1/uploads/:id': `\`{ id, state, offset, length, createdAt, expiresAt, filename, recipe, tags, meta, picture, isNew, problem, links }\`. \`state\` is \`incomplete\`, \`complete\` or \`refused\`. A complete
upload has the id of its \`picture\`, unless it is a partial upload; a refused upload has its \`problem\`. Needs no \`Tus-Resumable\`.`,
	'PATCH /v1/uploads/:id': `Send the bytes from \`Upload-Offset\` on, as \`${offsetType}\`. The response is 204 with the new \`Upload-Offset\`. After the last byte it also has \`Picpipe-Picture\` and a \`Link\` to the
picture, with the promise of a 202: the picture will end \`ready\` or \`failed\`, whatever crashes.

| Problem | When |
|---|---|
| 409 \`wrong-offset\` | \`Upload-Offset\` does not match the current offset. Ask with HEAD. |
| 460 \`checksum-mismatch\` | The bytes do not match \`Upload-Checksum\`, and none of them are kept. Without a checksum, the bytes of an interrupted body are kept. |
| 413 \`file-too-large\`, \`too-many-parts\` | The body exceeds \`Upload-Length\`; the upload has more than ${maximumParts} requests. |
| 415 \`unsupported-type\`, 409 \`duplicate-picture\` | After the last byte: no picture is created and the bytes are deleted. The upload shows the problem until it expires. |
| 429, 503, 507 | The received bytes are kept. After the last byte, an empty PATCH or a HEAD retries. |
| 404 \`upload-not-found\`, 410 \`upload-expired\`, 423 \`upload-locked\` | The upload does not exist, has expired, or is in use by another request. |`,
	'DELETE /v1/uploads/:id': '204.',
	'POST /v1/upload-tokens': `201 with \`{ token, expiresAt, recipe, tags, meta, priority, batch, maxBytes, maxPictures }\`. A page sends the token as \`Authorization: Bearer <token>\` or as \`?token=<token>\`.

\`\`\`sh
curl -H "Authorization: Bearer $PICPIPE_KEY" -H 'content-type: application/json' \\
  -d '{"recipe":"web","maxBytes":10000000,"expiresIn":600,"tags":["guest"]}' http://127.0.0.1:3000/v1/upload-tokens
\`\`\`

- The token uploads files, as a body, a form or a resumable upload, until it expires. It allows nothing else: no uploads by URL and no new batches.
- The token fixes recipe, tags, priority and batch. A request that sets one of them, or \`duplicates\` or \`webhook\`, is refused as \`fixed-by-token\`; naming the token's own recipe is allowed.
- Uploads can add [metadata](#fields-of-forms-and-metadata), within its bounds. The \`meta\` of the token cannot be changed: \`fixed-by-token\`. Tags and \`meta\` have to fit into a token of
  4,096 characters.
- The file name is free: \`filename\` in the query of a raw body or in \`Upload-Metadata\`. In a form, each file has its name in its own part, and a field \`filename\` is refused as \`unknown-field\`.
- With a \`batch\`, every upload joins that batch. The batch must be open when the token is created, and uploads are refused as \`batch-closed\` once it is closed.
- Uploads count against the limits of the key that created the token. The token ends when that key is revoked.`,
	'POST /v1/pictures/:id/retry':
		'202 with the picture, or `not-failed` for a picture without failures. Counts against `--per-day`.',
	'POST /v1/pictures/:id/process':
		'202 with the picture; 200 when it is ready and up to date; `picture-busy` while a worker processes it. A 202 counts against `--per-day`, a 200 does not. Without a body, or with an empty object, the current version of its recipe is used. Only variants whose digest has changed or whose file is missing are made; the others are kept. Variants that the recipe no longer names are deleted when the new ones are stored.',
	'GET /v1/recipes':
		'Returns `{ default, inline, problem, recipes, schema }`. Each recipe has its digest and all defaults filled in. `inline` tells whether requests may contain their own recipe. `problem` is present if the current recipes file was refused. `schema` is the JSON Schema of a recipe.',
	'GET /v1/operations':
		'Returns `{ operations, encoders, analyse, analysis }`. Each operation and encoder has its options as JSON Schema and an example for a recipe. `analyse` lists the names of the analyses; `analysis` describes each of them, with the JSON Schema of its result.',
	'POST /v1/batches': `201 with the batch and \`Location\`. Uploads of every kind join the batch with the field \`batch\`: forms, bodies, URLs, resumable uploads, upload tokens created for
the batch, and \`picpipe upload --batch\`. The batch finishes when it is closed and each of its pictures is \`ready\` or \`failed\`; then [\`batch.finished\`](webhooks.md#events) is sent once.

\`\`\`sh
curl -H 'content-type: application/json' -d '{"expect":2}' http://127.0.0.1:3000/v1/batches
curl -F file=@1.jpg -F file=@2.jpg -F batch=batch_01kbpx5c9ye8kr5pm3v1kxkq0a http://127.0.0.1:3000/v1/pictures
curl -H 'Prefer: wait=60' http://127.0.0.1:3000/v1/batches/batch_01kbpx5c9ye8kr5pm3v1kxkq0a
\`\`\`

- A batch closes by \`POST /v1/batches/{id}/close\`, by \`close\` at its creation, after \`expect\` accepted pictures, or after \`PICPIPE_BATCH_SECONDS\`. Uploads at the same moment can
  exceed \`expect\`. Later uploads are refused as \`batch-closed\`.
- Refused files, and files that \`duplicates\` links to an existing picture, are not part of the batch.
- With \`urls\` the response also has \`pictures\` and \`refused\`, as for [uploads](#post-v1pictures).
- With an \`Idempotency-Key\` the same request creates one batch.
- Upload tokens cannot create batches: \`insufficient-scope\`.`,
	'GET /v1/batches/:id':
		'`state` is `open`, `closed` or `finished`. `counts` has the number of pictures by state, and is absent while Redis is away. `finished` has the time and the numbers of `ready` and `failed` pictures at that time; processing or retrying a picture later changes only `counts`. With `Prefer: wait=N` the response waits until the batch is finished, or N seconds.',
	'POST /v1/batches/:id/close': 'Returns the batch. It is finished at once if none of its pictures is in progress.',
	'GET /v1/failures':
		'Returns `{ total, failures }`. Each entry has a `class`, a `code` and its title, a `count`, the times of the first and the last failure, the ids of the `latest` five pictures, and the URL of all of them in `links.pictures`. [Errors](errors.md) explains the classes. The originals are kept and can be downloaded.',
	'GET /v1/failures/quarantine':
		'Returns `{ pictures, next }`: pictures that failed as `imaging-process-died`, `picture-timeout` or `worker-lost`. `failure` has the `attempt` and, in `seen`, the known circumstances: the last finished step (`lastStep`), the decoded `megapixels` and the peak memory of the process (`residentBytes`).',
	'POST /v1/failures/retry':
		'202 with `{ queued, passed, left, more }`. `queued` counts the pictures that now wait behind all other work, `passed` those that were deleted or queued meanwhile, and `left` those that could not be queued; the log has the reasons. `more` tells whether another call would find more. Each picture keeps its recipe.',
	'POST /v1/webhooks':
		'201 with the endpoint, `Location`, and the `secret`, which no other response contains. [Webhooks](webhooks.md) describes the events and requests. `address-not-allowed`, `url-not-allowed` and `url-unsupported` refuse a URL; DNS names are resolved at delivery. Workers know a new endpoint within two seconds.',
	'GET /v1/webhooks':
		'Returns `{ webhooks }`, with the endpoint of the settings as `setting`. `state` is `enabled` or `disabled`; `disabled` has the time and the reason: `gone`, `failing` or `asked`. `failingSince` is present while deliveries fail. Secrets are listed by their times. URLs are shown without their query.',
	'DELETE /v1/webhooks/:id': '204. The endpoint of the settings cannot be deleted: `webhook-fixed`.',
	'POST /v1/webhooks/:id/rotate-secret':
		'Returns the endpoint with its new `secret`, which no other response contains.',
	'POST /v1/webhooks/:id/replay':
		'202 with `{ replayed }`. Each message starts its schedule from the beginning. `webhook-disabled` if the endpoint is disabled.',
	'GET /v1/webhooks/:id/deliveries':
		'Returns `{ deliveries, next }`. `state` is `waiting`, `delivered` or `failed`; each of the `attempts` has a number, a time, milliseconds, and the status and beginning of the response, or the error. The id `picture` lists deliveries to URLs that uploads named; `setting` lists deliveries to the endpoint of the settings. The log is in Redis and keeps the latest `PICPIPE_WEBHOOK_LOG`.',
	'GET /v1/webhooks/:id/deliveries/:delivery': 'The delivery with its `body`, the payload that is sent.',
	'POST /v1/webhooks/:id/deliveries/:delivery/replay':
		'202 with the delivery: the same bytes with the same `webhook-id`. `webhook-disabled`, or `delivery-busy` while it is being delivered.',
	'GET /v1/index':
		'Returns `{ complete, pictures, rebuild }`. `rebuild` is present while the index is rebuilt: `pictures` indexed so far, `days` that have pictures, and `daysDone`. Lists are incomplete until then.',
	'GET /v1/queues':
		'Returns `{ queues }`; each has a `name`, `paused`, `workers` and `counts` by state. [Queues](queues.md) describes them.',
	'POST /v1/queues/:name/pause': 'Workers finish their current jobs. Uploads are still accepted.',
	'POST /v1/queues/:name/clean': 'Returns `{ removed }`.',
	'GET /metrics': `The text format of Prometheus, which sends \`Authorization: Bearer\` with a key of the scope \`admin\`. Without any API key, only this machine is served.
[Metrics](#metrics) lists all metrics. While Redis is away it returns the metrics of this API process and \`picpipe_redis_up 0\`.`,
	'GET /readyz':
		'200 or 503 with `{ status, checks }`. Storage must write, read and delete an object, and Redis must answer. Uploads work without Redis: use `?exclude=redis` to check only what uploads need.',
};

export function httpPage(): string {
	const unknown = Object.keys(notes).filter((key) => !routes.some((route) => keyOf(route) === key));
	if (unknown.length > 0) throw new Error(`There are notes about unknown routes: ${unknown.join(', ')}`);
	const { queue, id } = jobOf(samplePicture);
	const job = arenaJobPath(queue, id);
	return page(
		'HTTP API',
		'src/api/routes.ts and src/api/contract.ts',
		`The API listens on \`PICPIPE_HOST\` and \`PICPIPE_PORT\`, \`http://127.0.0.1:3000\` unless set otherwise.

- **Access.** Once there is an API key, every call needs \`Authorization: Bearer <key>\` with the scope of the call, except calls marked otherwise. Without any API
  key, only this machine is served: from loopback, under a loopback name, and not through a proxy. See [keys](#keys-and-limits).
- **Browsers.** Requests that a browser sends for another web site are refused as \`cross-site\`, except reads. \`PICPIPE_CORS_ORIGINS\` allows sites; their pages
  call the API with an API key or an upload token. There are no cookies. Images below \`/img\`, \`/ipx\` and \`/cld\` are open to scripts of every site.
- **Back pressure.** Uploads get 503 with \`Retry-After\` while more jobs wait than \`PICPIPE_MAX_QUEUE\` (\`queue-full\`), or less disk space is free than
  \`PICPIPE_MIN_DISK_FREE\` (\`storage-nearly-full\`). The refusal comes before the body is read; with \`Expect: 100-continue\` the client does not send it.
- **Slow uploads.** A body slower than \`PICPIPE_MIN_UPLOAD_SPEED\` gets 408 \`upload-too-slow\`.
- **Errors** are problem documents with a \`code\`; [errors](errors.md) lists all codes. They are never cached. Unknown query parameters and fields of JSON are refused, not ignored; those of forms are [metadata](#fields-of-forms-and-metadata).
- **Request ids.** Every response has \`X-Request-Id\`, which is also in the log. An id sent with the request is kept if it has 8 to 64 letters, digits, \`.\`, \`_\` and \`-\`.
- **HEAD** works wherever GET does. Other methods get 405 with \`Allow\`.`,
		`## Keys and limits

\`picpipe keys add --name <name> --scope <scopes>\` creates a key and shows it once. \`picpipe keys list\` lists the keys, and \`picpipe keys revoke <id>\` revokes one: every process
refuses it within \`PICPIPE_KEYS_SECONDS\`. Keys of \`PICPIPE_API_KEYS\` have every scope.

${table(
	['Scope', 'Allows'],
	scopes.map((scope) => [code(scope), scopeDocs[scope]]),
)}

**Owners.** Pictures, batches and uploads belong to the group of the key that brought them in, shown as \`owner\`. A key is a group of its own unless \`--group <name>\` names one, and
an upload token belongs to its key. What a key may not see does not exist for it: the response is the same 404 as for an unknown id. A key with \`upload\` and \`read\` sees
everything, and gets 403 \`insufficient-scope\` where it would change what another group owns. Pictures without an owner, of versions that had none or fetched for an image URL, need
\`read\` or \`admin\`. The owners \`local\` (this machine while there is no key), \`settings\` (keys of \`PICPIPE_API_KEYS\`) and \`watch\` (the watched folder) are no groups.

To replace a key, add one with the group of the old one, which \`picpipe keys list\` shows (its id if it has no other), switch over, and revoke the old one:

\`\`\`sh
picpipe keys add --name 'camera 2' --scope upload --group key_01m8q0wanzenerztq6m35acg1c
picpipe keys revoke key_01m8q0wanzenerztq6m35acg1c
\`\`\`

[What is public](../guides/what-is-public.md) lists who can see what.

With \`--recipe\` a key can use only these recipes (\`recipe-not-allowed\`). The limits of a key are optional:

${table(
	['Flag', 'Policy', 'Counts', 'Refused as'],
	[
		[code('--rate 60/min'), code('rate'), 'requests in a time span', code('rate-exceeded')],
		[
			code('--concurrency 4'),
			code('concurrency'),
			'requests in progress at the same time',
			code('concurrency-exceeded'),
		],
		[
			code('--per-day 1000'),
			code('day'),
			'pictures accepted since 00:00 UTC, with fetched pictures and uploads by upload token; and each retry or process that queued work',
			code('quota-exceeded'),
		],
	],
)}

Responses to a key with limits have the limits in \`RateLimit-Policy\` and the remaining amounts in \`RateLimit\`, as in draft-ietf-httpapi-ratelimit-headers-11. The remaining amount of the policy \`day\` is
that before the request. A refusal is 429 with \`Retry-After\`:

${fence(
	'http',
	`HTTP/1.1 429 Too Many Requests
RateLimit-Policy: "rate";q=60;w=60, "concurrency";q=4;qu="concurrent-requests", "day";q=1000;w=86400;qu="pictures"
RateLimit: "rate";r=0;t=23, "concurrency";r=3, "day";r=871;t=41870
Retry-After: 23`,
)}

Limits are counted in Redis, for all API processes together. While Redis is away, each process counts on its own and uploads continue.`,
		`## A picture`,
		fence('json', JSON.stringify(pictureView(samplePicture, { jobUrl: `http://127.0.0.1:9000${job}` }), null, 2)),
		`\`state\` is \`queued\`, \`processing\`, \`ready\` or \`failed\`; a failed picture has \`failure\` ([errors](errors.md#in-a-picture)). \`revision\` grows
with every change. \`links\` has related URLs; \`links.job\` is the page of its job in Arena.

A queued picture has \`waiting\` when every worker that has seen its job is too old for its recipe: the \`reason\` names what the workers do not know, such as an
operation, and \`since\` is the time when a worker first noticed it. A newer worker processes the picture; no attempt is spent until then.`,
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
		of === 'redis' ? 'all' : 'the API',
		help,
	]);
	return `## Metrics

\`GET /metrics\` shows these metrics and those of every Node.js process (\`process_…\`, \`nodejs_…\`). Metrics of \`the API\` are counted by the API process that responds, since its start.
Metrics of \`all\` come from Redis, at most once a second, and are absent while Redis is away. Every API process reports the same values: use the \`max\` of them, not the sum.

${table(['Name', 'Type', 'Labels', 'Of', 'Description'], shown)}

Classes and codes are those of [errors](errors.md), queues those of [queues](queues.md). The \`outcome\` of an attempt is \`succeeded\`, \`unneeded\` (the picture was deleted, the
endpoint disabled, or the work already done), \`retried\` (it failed and another attempt follows) or \`failed\` for good. Attempts are counted only in Redis, and start from zero when Redis loses
its data, as a counter may. Webhooks that are pending or failed are \`picpipe_jobs\` of the queue \`webhooks\`.

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

function takesTokens({ intake, resumable, keysOnly }: Route): boolean {
	return (intake || resumable) === true && !keysOnly;
}

/** Which scope suffices for what the caller's group owns, or which one is needed for the rest. */
function ownOnly({ scope, owned }: Route): string {
	if (!owned) return '';
	return scope === 'upload'
		? ' for what the group of the key owns, `admin` for the rest'
		: ', or `upload` for what the group of the key owns';
}

function routeText(route: Route): string {
	const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
	return [
		`### ${route.method} ${path}`,
		route.doc,
		route.scope === 'open'
			? 'Needs no key.'
			: `Scope: \`${route.scope}\`${ownOnly(route)}${takesTokens(route) ? ', or an upload token' : ''}.`,
		notes[keyOf(route)],
		route.query && `Query parameters${route.form ? ' of a raw body' : ''}:\n\n${fieldsTable(route.query)}`,
		route.form && `Fields of a form:\n\n${fieldsTable(route.form)}`,
		route.metadata && `Fields of \`Upload-Metadata\`:\n\n${fieldsTable(route.metadata)}`,
		route.json && `JSON body (${code('application/json')}):\n\n${fieldsTable(route.json)}`,
	]
		.filter(Boolean)
		.join('\n\n');
}
