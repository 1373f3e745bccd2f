import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import busboy from 'busboy';
import { type ErrorCode, PicpipeError, toPicpipeError } from '../../errors.ts';
import { discard, type Received, receive, tooLarge } from '../../intake/receive.ts';
import type { Storage } from '../../storage/storage.ts';
import { maximumInlineRecipe } from '../contract.ts';
import type { UploadedFile } from './upload.ts';
import type { UploadLimits } from './upload-policy.ts';

/** Limits of a multipart body, besides its files. */
const formLimits = {
	/** Form fields in one body. */
	fields: 100,
	/** Bytes of a field's name. */
	fieldNameSize: 300,
	/** Bytes of a field's value. */
	fieldSize: maximumInlineRecipe,
	/** Header lines of one part. */
	headerPairs: 20,
};

/** Files of one form that are stored at the same time. While the disk is slow, the rest of the form waits outside, not in memory. */
const parallelFiles = 2;

/** The fields and files of a form, in order. */
interface ReceivedForm {
	/** A repeated field has its values separated by commas. */
	readonly fields: Readonly<Record<string, string>>;
	readonly files: readonly UploadedFile[];
	/** Names of the fields that contain files. */
	readonly fileFields: ReadonlySet<string>;
}

/** One file as the body itself. @throws PicpipeError */
export async function receiveRaw(
	storage: Storage,
	request: IncomingMessage,
	filename: string | undefined,
	limits: UploadLimits,
): Promise<Received> {
	const announced = Number(request.headers['content-length'] ?? 0);
	if (announced > limits.maxBytes) throw tooLarge(limits.maxBytes);
	try {
		return await receive(storage, chunksOf(request, limits.onBytes), filename, limits);
	} catch (error) {
		throw asUploadError(request, error);
	}
}

/**
 * Receives files and fields. Files stream to storage as they arrive; a refused file does not affect the others. If the body itself is
 * broken, everything received is discarded.
 *
 * @throws PicpipeError `malformed-multipart`, `too-many-files`, `invalid-field`, `upload-aborted`, `no-file`
 */
export async function receiveForm(
	storage: Storage,
	request: IncomingMessage,
	limits: UploadLimits,
): Promise<ReceivedForm> {
	const parser = openParser(request, limits);
	const fields: Record<string, string> = Object.create(null);
	const files: Promise<UploadedFile>[] = [];
	const fileFields = new Set<string>();
	const refuse = (code: ErrorCode, detail: string) => parser.destroy(new PicpipeError(code, detail));
	let awaited: Promise<unknown> | undefined;
	const pauseUntil = (isStored: Promise<unknown>) => {
		awaited = isStored;
		request.unpipe(parser);
		void isStored.then(() => {
			if (awaited === isStored && !parser.destroyed) request.pipe(parser);
		});
	};

	parser.on('field', (name, value, { nameTruncated, valueTruncated }) => {
		if (nameTruncated)
			refuse('invalid-field', `Expected at most ${formLimits.fieldNameSize} bytes for a field's name.`);
		if (valueTruncated)
			refuse('invalid-field', `Expected at most ${formLimits.fieldSize} bytes for the field ${name}.`);
		fields[name] = fields[name] === undefined ? value : `${fields[name]},${value}`;
	});
	parser.on('file', (field, stream, { filename }) => {
		// The parser reads its chunk to the end after a refusal, and never ends a file that begins there.
		if (parser.destroyed) return stream.on('error', () => {}).destroy();
		fileFields.add(field);
		const before = files.at(-parallelFiles);
		if (before) pauseUntil(before);
		files.push(receivePart(storage, stream, filename, limits, (error) => parser.destroy(error)));
	});
	const mostParts = limits.maxFiles + formLimits.fields;
	parser.on('filesLimit', () => refuse('too-many-files', tooMany('files (PICPIPE_MAX_FILES)', limits.maxFiles)));
	parser.on('partsLimit', () => refuse('too-many-files', tooMany('parts', mostParts)));
	parser.on('fieldsLimit', () => refuse('invalid-field', tooMany('fields', formLimits.fields)));

	try {
		await feed(request, parser);
	} catch (error) {
		await discardAll(storage, await Promise.all(files));
		throw asUploadError(request, error);
	}
	const settled = (await Promise.all(files)).filter((file) => !isNothing(file));
	if (settled.length === 0)
		throw new PicpipeError('no-file', 'Expected at least one file in the form but received none.');
	return { fields, files: settled, fileFields };
}

/** What a browser sends for a file input in which nothing was chosen: no name, and no bytes. */
function isNothing({ filename, refused }: UploadedFile): boolean {
	return filename === undefined && refused?.code === 'empty-file';
}

/** Discards every file of an upload that was refused as a whole. */
export async function discardAll(storage: Storage, files: readonly UploadedFile[]): Promise<void> {
	for (const file of files) if (file.received) await discard(storage, file.received.id);
}

function openParser(request: IncomingMessage, limits: UploadLimits) {
	try {
		return busboy({
			headers: request.headers,
			defParamCharset: 'utf8',
			limits: { ...formLimits, files: limits.maxFiles, parts: limits.maxFiles + formLimits.fields },
		});
	} catch (cause) {
		throw new PicpipeError('malformed-multipart', (cause as Error).message, { cause });
	}
}

/** `stream.pipeline` would destroy the request together with the parser, and with it the connection of the response. */
async function feed(request: IncomingMessage, parser: Writable): Promise<void> {
	const cutOff = () => {
		if (!request.complete) parser.destroy(new PicpipeError('upload-aborted'));
	};
	request.once('close', cutOff);
	request.pipe(parser);
	try {
		await finished(parser);
	} finally {
		request.unpipe(parser);
		request.off('close', cutOff);
	}
}

async function receivePart(
	storage: Storage,
	stream: Readable,
	filename: string | undefined,
	limits: UploadLimits,
	giveUp: (error: PicpipeError) => void,
): Promise<UploadedFile> {
	try {
		return { filename, received: await receive(storage, chunksOf(stream, limits.onBytes), filename, limits) };
	} catch (error) {
		const refused = toPicpipeError(error);
		let skipped = 0;
		stream.on('data', (chunk: Buffer) => {
			skipped += chunk.length;
			limits.onBytes?.(chunk.length);
			if (skipped > limits.maxBytes) giveUp(refused);
		});
		// Cut off together with the body, which reports the error.
		stream.on('error', () => {});
		return { filename, refused };
	}
}

/** A refused file is read to its end and discarded, to get to the next one. So the stream must outlive its reader. */
async function* chunksOf(stream: Readable, onBytes: UploadLimits['onBytes']): AsyncIterable<Buffer> {
	for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
		onBytes?.(chunk.length);
		yield chunk;
	}
}

function tooMany(what: string, most: number): string {
	return `Expected at most ${most} ${what} in one upload but received more.`;
}

/** The error of the body's stream as a PicpipeError. */
function asUploadError(request: IncomingMessage, error: unknown): PicpipeError {
	if (error instanceof PicpipeError) return error;
	if (request.readableAborted) return new PicpipeError('upload-aborted', undefined, { cause: error });
	if (error instanceof Error && parserComplaint.test(error.message)) {
		return new PicpipeError('malformed-multipart', `${error.message}.`, { cause: error });
	}
	return toPicpipeError(error, 'receive');
}

/** busboy's errors have no codes. */
const parserComplaint = /^(Malformed|Unexpected end|Unsupported|Missing|Multipart)/;
