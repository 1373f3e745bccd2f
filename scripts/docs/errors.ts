import { problemOf } from '../../src/api/middleware/problem.ts';
import { type ErrorClass, type ErrorCode, errorTable, isRetryable, PicpipeError } from '../../src/errors.ts';
import { code, fence, page, table } from './markdown.ts';

/** What a class means, for the person who meets it. */
const classes: Readonly<Record<ErrorClass, string>> = {
	request: 'The request is wrong; no picture is concerned. Change the request.',
	corrupt: 'The file is damaged. Nothing helps but another file.',
	unsupported: 'The file is sound, but of a kind that is not supported.',
	limit: 'The picture is beyond a limit of this installation; [configuration](configuration.md) lists them.',
	transient: 'Something that picpipe stands on is away or full at the moment. It is tried again by itself.',
	internal: "The fault is picpipe's or the machine's. It is tried again by itself, and the log says more.",
};

export function errorsPage(): string {
	const rows = Object.entries(errorTable) as [ErrorCode, (typeof errorTable)[ErrorCode]][];
	const example = new PicpipeError('file-too-large', 'Expected at most 104857600 bytes for a file but received more.');
	return page(
		'Errors',
		'src/errors.ts',
		`Every error has a code, and everything else follows from it: the HTTP status that the API answers with, the class, and whether
another attempt is made. Codes do not change; sentences may.`,
		`## Classes\n\n${table(
			['Class', 'Retried', 'Meaning'],
			(Object.keys(classes) as ErrorClass[]).map((name) => [
				code(name),
				name === 'request' ? '' : isRetryable(name) ? 'yes' : 'no',
				classes[name],
			]),
		)}`,
		`"Retried" is about work on a picture: such a failure is tried again, up to \`PICPIPE_ATTEMPTS\` times with growing delays. A failure
of any other class, or the last attempt, ends the picture as \`failed\`, with the original kept. It can be tried again with
\`POST /v1/pictures/{id}/retry\` at any time.`,
		`## In an answer

Errors are problem documents (RFC 9457) of type \`application/problem+json\`:`,
		fence('json', JSON.stringify(problemOf(example, '3f8a1c1e-6a0d-4d0c-8f4e-2b7d9c5a1e60'), null, 2)),
		`\`detail\` says what was expected and what came. For status 500 it is the title, and the log has the rest under the same \`requestId\`,
which is also in the header \`X-Request-Id\` of every answer. 503, 429 and \`picture-busy\` come with \`Retry-After\`, and 429 with
\`violated-policies\`, the names of the limits as \`RateLimit-Policy\` has them.`,
		`## In a picture

A picture that is \`failed\` carries \`failure\` with \`class\`, \`code\`, \`message\`, the \`step\` at which it happened, the \`attempt\` and the time. The same
class and code stand in its manifest, in the log and in the reason of its job. [\`GET /v1/failures\`](http.md#get-v1failures) counts them.`,
		`## Codes\n\n${table(
			['Code', 'Status', 'Class', 'Retried', 'Sentence'],
			rows.map(([name, row]) => [
				code(name),
				String(row.status),
				row.class,
				row.class === 'request' ? '' : isRetryable(row.class) ? 'yes' : 'no',
				row.title,
			]),
		)}`,
	);
}
