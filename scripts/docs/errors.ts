import { problemOf } from '../../src/api/middleware/problem.ts';
import {
	type ErrorClass,
	type ErrorCode,
	errorTable,
	isRetryable,
	nextStepOf,
	PicpipeError,
} from '../../src/errors.ts';
import { code, fence, page, table } from './markdown.ts';

/** The meaning of each class for users. */
const classes: Readonly<Record<ErrorClass, string>> = {
	request: 'The request is invalid. Change it before you send it again.',
	corrupt: 'The file is damaged. Upload an intact file.',
	unsupported: 'The file is intact, but picpipe does not support its type or one of its features.',
	limit: 'The picture exceeds a limit of this installation; [configuration](configuration.md) lists the limits.',
	transient: 'A service that picpipe depends on is unavailable or full. picpipe retries automatically.',
	internal: 'picpipe or the machine is at fault. picpipe retries automatically, and the log has the details.',
};

export function errorsPage(): string {
	const rows = Object.entries(errorTable) as [ErrorCode, (typeof errorTable)[ErrorCode]][];
	const example = new PicpipeError('file-too-large', 'Expected at most 104857600 bytes for a file but received more.');
	return page(
		'Errors',
		'src/error-table.ts',
		`Every error has a code. The code determines the HTTP status, the class, and whether picpipe retries. Codes never change; the
sentences may.`,
		`## Classes\n\n${table(
			['Class', 'Retried', 'Meaning'],
			(Object.keys(classes) as ErrorClass[]).map((name) => [
				code(name),
				name === 'request' ? '' : isRetryable(name) ? 'yes' : 'no',
				classes[name],
			]),
		)}`,
		`"Retried" applies to the processing of pictures: picpipe makes up to \`PICPIPE_ATTEMPTS\` attempts, with growing delays. After the last
attempt, or a failure of any other class, the picture is \`failed\` and its original is kept. Retry it at any time with
\`POST /v1/pictures/{id}/retry\`.`,
		`## In a response

Errors are problem documents (RFC 9457) of type \`application/problem+json\`:`,
		fence('json', JSON.stringify(problemOf(example, '3f8a1c1e-6a0d-4d0c-8f4e-2b7d9c5a1e60'), null, 2)),
		`\`detail\` states the expected and the received value, \`next\` what to do: the setting or the command. For status 500 it is the title, and the log has the details under the same
\`requestId\`. The header \`X-Request-Id\` of every response has this id too. 503, 429 and \`picture-busy\` have \`Retry-After\`. 429 also has
\`violated-policies\`: the names of the exceeded limits in \`RateLimit-Policy\`.`,
		`## In a picture

A \`failed\` picture has a \`failure\` with \`class\`, \`code\`, \`message\`, the failed \`step\`, the \`attempt\` and the time. \`next\` of a picture with failures has what to do about each code. Its manifest, the log and the
reason of its job have the same class and code. [\`GET /v1/failures\`](http.md#get-v1failures) counts them.`,
		`## Codes\n\n${table(
			['Code', 'Status', 'Class', 'Retried', 'Sentence', 'Next step'],
			rows.map(([name, row]) => [
				code(name),
				String(row.status),
				row.class,
				row.class === 'request' ? '' : isRetryable(row.class) ? 'yes' : 'no',
				row.title,
				nextStepOf(name),
			]),
		)}`,
	);
}
