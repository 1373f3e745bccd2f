import { fileTypeFromBuffer } from 'file-type';
import { PicpipeError } from '../errors.ts';
import { svgSetting } from '../pipeline/inspect/limits.ts';
import { inputFormats, sniffFormat } from '../pipeline/inspect/sniff.ts';

/** Bytes at the start of a file that decide its type; file-type's own sample size. */
const headBytes = 4_100;

export interface FileType {
	/** Media type. */
	readonly type: string;
	readonly extension: string;
}

/**
 * Decides the type from the bytes alone; names and headers of the client are not asked. A damaged picture counts as one of its
 * type: whether it is sound shows when the worker decodes it.
 *
 * @param takesSvg a setting allows SVG
 * @throws PicpipeError `unsupported-type`, naming what the bytes are where that is known
 */
export async function inspectHead(head: Buffer, takesSvg = false): Promise<FileType> {
	const format = sniffFormat(head);
	if (format === 'svg') return typeOfSvg(takesSvg);
	const known = await fileTypeFromBuffer(head);
	// Cameras' raw files begin like a TIFF, but its first page is only a preview.
	const isRaw = format === 'tiff' && known !== undefined && known.mime !== 'image/tiff';
	if (!format || isRaw) {
		throw new PicpipeError(
			'unsupported-type',
			`Expected a picture (${inputFormats.join(', ')}) but the bytes are ${known?.mime ?? 'of no known type'}.`,
		);
	}
	return { type: `image/${format}`, extension: format === 'jpeg' ? 'jpg' : format };
}

function typeOfSvg(isTaken: boolean): FileType {
	if (isTaken) return { type: 'image/svg+xml', extension: 'svg' };
	throw new PicpipeError(
		'unsupported-type',
		`Expected a picture (${inputFormats.join(', ')}) but the bytes are image/svg+xml, which requires ${svgSetting} to be true.`,
	);
}

/** Reads the first bytes; `rest` goes on with the whole body, the head included. */
export async function readHead(body: AsyncIterator<Buffer>): Promise<{ head: Buffer; rest: AsyncIterable<Buffer> }> {
	const first: Buffer[] = [];
	let length = 0;
	while (length < headBytes) {
		const { value, done } = await body.next();
		if (done) break;
		first.push(value);
		length += value.length;
	}
	async function* rest() {
		yield* first;
		for (let next = await body.next(); !next.done; next = await body.next()) yield next.value;
	}
	return { head: Buffer.concat(first), rest: rest() };
}
