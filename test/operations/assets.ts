import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { decodeAsset } from '../../src/pipeline/decode/decode.ts';
import { inspect } from '../../src/pipeline/inspect/inspect.ts';
import type { KnownAsset } from '../../src/pipeline/render/run.ts';
import { limits } from '../pipeline/make.ts';

/** The `logo.png` of the examples, 90 × 60: a green disc on an orange ground that lets a little through, and a clear frame. */
export function logo(): Promise<Buffer> {
	const [width, height] = [90, 60];
	const data = Buffer.alloc(width * height * 4);
	for (let y = 5; y < height - 5; y++) {
		for (let x = 5; x < width - 5; x++) {
			const isDisc = Math.hypot(x - 44.5, y - 29.5) < 20;
			data.set(isDisc ? [20, 140, 60, 255] : [240, 130, 20, 200], (y * width + x) * 4);
		}
	}
	return sharp(data, { raw: { width, height, channels: 4 } })
		.png()
		.toBuffer();
}

/** Files as the pipeline takes them. */
export async function assetsFrom(files: Readonly<Record<string, Buffer>>): Promise<ReadonlyMap<string, KnownAsset>> {
	const entries = Object.entries(files).map(async ([name, file]) => {
		const asset = await decodeAsset(file, await inspect(file, limits));
		return [name, { ...asset, sha256: createHash('sha256').update(file).digest('hex') }] as const;
	});
	return new Map(await Promise.all(entries));
}
