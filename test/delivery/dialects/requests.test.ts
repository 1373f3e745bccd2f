import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parseCloudinary } from '../../../src/delivery/dialects/cloudinary.ts';
import {
	type DialectOptions,
	type ImageRequest,
	renderFormats,
	type SourceFacts,
} from '../../../src/delivery/dialects/image-request.ts';
import { parseImgproxy } from '../../../src/delivery/dialects/imgproxy.ts';
import { parseIpx } from '../../../src/delivery/dialects/ipx.ts';
import { canonicalJson } from '../../../src/domain/digest.ts';
import { PicpipeError } from '../../../src/errors.ts';

/*
 * A published URL keeps its meaning: the request that each dialect makes of it decides the digest of a stored file. Each line of
 * `requests/<dialect>.ndjson` holds a URL, the facts of an image and the request, in field names of its own, so that a type can be renamed
 * without a change to the records. To add a URL, add a line with a `path` and update the file (CONTRIBUTING.md).
 */

interface Row {
	/** The URL below the dialect's path; `{id}` stands for the id of an image. */
	readonly path: string;
	readonly presets?: Readonly<Record<string, string>> | undefined;
	readonly presetsOnly?: boolean | undefined;
	/** Facts of the image that differ from `usualImage`. */
	readonly image?: Partial<SourceFacts> | undefined;
}

const id = 'pic_01h455vb4pex5vsknk084sn02q';
const usualImage: SourceFacts = { width: 4000, height: 3000, frames: 1, alpha: false, format: 'jpeg' };

const dialects: Readonly<Record<string, (path: string, options: DialectOptions, image: SourceFacts) => unknown>> = {
	imgproxy: (path, options, image) => request(parseImgproxy(path, options), image),
	ipx: (path, options, image) => request(parseIpx(path, options), image),
	cloudinary(path, options, facts) {
		const { signature, signedText, image } = parseCloudinary(path, options);
		return { ...request(image, facts), ...(signature !== undefined && { signature, signedText }) };
	},
};

function request({ source, target, expiresAt, filename, isAttachment }: ImageRequest, image: SourceFacts) {
	// Nearly all URLs name the same image.
	const url = 'url' in source ? source.url : undefined;
	const other = 'id' in source && source.id !== id ? source.id : undefined;
	const served = { url, other, expiresAt, filename, attachment: isAttachment };
	if (target.kind === 'original') return { ...served, original: true };
	if (target.kind === 'variant') return { ...served, variant: [target.name, target.format] };
	const { page, orient, steps, format, encode, metadata, colour, isUnneeded } = target.plan(image);
	const encoders = renderFormats.map((one) => [one, encode?.(one) ?? {}] as const);
	// Most renders leave most encoders as they are.
	const changed = encoders.filter(([, options]) => Object.keys(options).length > 0);
	return {
		...{ ...served, page, orient, steps, metadata, colour, unchanged: isUnneeded },
		...(format !== 'source' && { format }),
		...(changed.length > 0 && { encode: Object.fromEntries(changed) }),
	};
}

function outcome(dialect: string, { path, presets = {}, presetsOnly = false, image }: Row): unknown {
	const options = { presets: new Map(Object.entries(presets)), presetsOnly };
	try {
		return dialects[dialect]?.(path.replaceAll('{id}', id), options, { ...usualImage, ...image });
	} catch (error) {
		// How a refusal is worded may change.
		if (error instanceof PicpipeError) return { refused: error.code };
		throw error;
	}
}

describe('requests match their records', () => {
	it.each(Object.keys(dialects))('%s', async (dialect) => {
		const file = `requests/${dialect}.ndjson`;
		const recorded = await readFile(new URL(file, import.meta.url), 'utf8');
		const lines = recorded
			.trimEnd()
			.split('\n')
			.map((line) => {
				const { path, presets, presetsOnly, image }: Row = JSON.parse(line);
				const row = { path, presets, presetsOnly, image };
				return `${JSON.stringify({ ...row, request: JSON.parse(canonicalJson(outcome(dialect, row))) })}\n`;
			});
		await expect(lines.join('')).toMatchFileSnapshot(file);
	});
});
