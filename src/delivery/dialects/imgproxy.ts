import type { DialectOptions, ImageRequest, ImageTarget } from './image-request.ts';
import { readFormat } from './imgproxy/output-options.ts';
import type { Draft } from './imgproxy/pipeline.ts';
import { planRender } from './imgproxy/plan.ts';
import { OptionsReader } from './imgproxy/read-options.ts';
import { variantFormat } from './imgproxy/response-options.ts';
import { readPresetUrl, readUrl } from './imgproxy/url.ts';
import { invalidValue, unsupportedOption } from './shared/refusals.ts';
import { sourceName } from './shared/source.ts';

export { isSignedBy, signImgproxy } from './imgproxy/sign.ts';
export { imgproxyPath, spellingsOf } from './imgproxy/url.ts';

/**
 * Reads a URL of imgproxy: `/<options>/plain/<source>@<extension>` or `/<options>/<base64>.<extension>`.
 *
 * @param path the part after the signature, as written, without the query
 * @throws PicpipeError `invalid-delivery-url`, `option-unsupported`; the plan throws them too
 * @see https://docs.imgproxy.net/usage/processing
 * @example parseImgproxy('/rs:fill:300:200/plain/pic_01jzkwp9nbe0tvahm2q4c8s6rd@webp', { presets: new Map() })
 */
export function parseImgproxy(path: string, { presets, presetsOnly }: DialectOptions): ImageRequest {
	const reader = new OptionsReader(presets);
	const { source, extension } = presetsOnly ? readPresets(path, reader) : readOptions(path, reader);
	const { draft } = reader;
	const { expiresAt, filename, isAttachment } = draft.response;
	return {
		source,
		target: targetOf(draft, extension, reader.changing),
		...(expiresAt > 0 && { expiresAt }),
		...(filename !== '' ? { filename } : isAttachment && { filename: sourceName(source) }),
		...(isAttachment && { isAttachment }),
	};
}

function readOptions(path: string, reader: OptionsReader) {
	const url = readUrl(path);
	reader.read(url.pipelines);
	return url;
}

function readPresets(path: string, reader: OptionsReader) {
	const url = readPresetUrl(path);
	reader.usePresets(url.presets, 0);
	return url;
}

function targetOf(draft: Draft, extension: string, changing: readonly string[]): ImageTarget {
	const { variant, raw } = draft.response;
	if (variant) {
		if (changing[0] !== undefined) {
			throw unsupportedOption(changing[0], 'A stored variant cannot be changed by other options.');
		}
		const { format } = variantFormat('the extension', extension);
		if (format !== undefined && variant.format !== undefined && format !== variant.format) {
			throw invalidValue('the extension', `the format ${variant.format}`, extension);
		}
		const either = variant.format ?? format;
		return { kind: 'variant', name: variant.name, ...(either !== undefined && { format: either }) };
	}
	if (raw) return { kind: 'original' };
	if (extension !== '') draft.output.format = readFormat('the extension', extension);
	return { kind: 'render', plan: (facts) => planRender(draft, facts) };
}
