import type { DialectOptions, ImageRequest, ImageTarget } from './image-request.ts';
import { readAddress, readPresetAddress } from './imgproxy/address.ts';
import { variantFormat } from './imgproxy/handling-options.ts';
import { readFormat } from './imgproxy/output-options.ts';
import type { Draft } from './imgproxy/pipeline.ts';
import { planRender } from './imgproxy/plan.ts';
import { Reader } from './imgproxy/presets.ts';
import { unexpected, unsupported } from './imgproxy/refusals.ts';
import { sourceName } from './source-name.ts';

export { imgproxyPath } from './imgproxy/address.ts';
export { isSignedBy, type KeyPair, signImgproxy } from './imgproxy/sign.ts';

/**
 * Reads an address in the language of imgproxy: `/<options>/plain/<source>@<extension>` or `/<options>/<base64>.<extension>`.
 *
 * @param path what follows the signature, as it stands in the URL, without a query
 * @throws PicpipeError `invalid-delivery-url`, `option-unsupported`; so does the plan
 * @see https://docs.imgproxy.net/usage/processing
 * @example parseImgproxy('/rs:fill:300:200/plain/pic_01jzkwp9nbe0tvahm2q4c8s6rd@webp', { presets: new Map() })
 */
export function parseImgproxy(path: string, { presets, presetsOnly }: DialectOptions): ImageRequest {
	const reader = new Reader(presets);
	const { source, extension } = presetsOnly ? readPresets(path, reader) : readOptions(path, reader);
	const { draft } = reader;
	const { expiresAt, filename, isAttachment } = draft.handling;
	return {
		source,
		target: targetOf(draft, extension, reader.changing),
		...(expiresAt > 0 && { expiresAt }),
		...(filename !== '' ? { filename } : isAttachment && { filename: sourceName(source) }),
		...(isAttachment && { isAttachment }),
	};
}

function readOptions(path: string, reader: Reader) {
	const address = readAddress(path);
	reader.read(address.pipelines);
	return address;
}

function readPresets(path: string, reader: Reader) {
	const address = readPresetAddress(path);
	reader.usePresets(address.presets, 0);
	return address;
}

function targetOf(draft: Draft, extension: string, changing: readonly string[]): ImageTarget {
	const { variant, raw } = draft.handling;
	if (variant) {
		if (changing[0] !== undefined) {
			throw unsupported(changing[0], 'A variant is as its recipe made it; no other option goes with it.');
		}
		const { format } = variantFormat('the extension', extension);
		if (format !== undefined && variant.format !== undefined && format !== variant.format) {
			throw unexpected(`the format ${variant.format}`, 'the extension', extension);
		}
		const either = variant.format ?? format;
		return { kind: 'variant', name: variant.name, ...(either !== undefined && { format: either }) };
	}
	if (raw) return { kind: 'original' };
	if (extension !== '') draft.output.format = readFormat('the extension', extension);
	return { kind: 'render', plan: (facts) => planRender(draft, facts) };
}
