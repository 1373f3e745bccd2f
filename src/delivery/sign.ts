import type { SigningPair } from '../config/delivery.ts';
import { type Config, ConfigError, settings } from '../config/index.ts';
import { PicpipeError } from '../errors.ts';
import { loadRecipesFile } from '../pipeline/recipe/recipes.ts';
import { problemsOfPresets } from './check-presets.ts';
import type { DialectOptions, ImageSource } from './dialects/image-request.ts';
import { imgproxyPath, parseImgproxy } from './dialects/imgproxy.ts';
import { below, signPath } from './sign-path.ts';

/** A URL to sign, in imgproxy's syntax. */
export interface Signable {
	/** Such as `rs:fit:300:200/q:80`. */
	readonly options: string;
	readonly source: ImageSource;
	/** Format of the image, such as `webp`; if absent, the options decide. */
	readonly extension?: string | undefined;
	/** When the URL expires, seconds since 1970. */
	readonly expiresAt?: number | undefined;
	/** Path before the signature, `/img` if absent. */
	readonly prefix?: string | undefined;
}

/**
 * The signed path of a URL. It is parsed before it is signed, so that no URL is signed that would be refused.
 *
 * @param pair undefined for an unsigned URL
 * @throws PicpipeError `invalid-delivery-url`, `option-unsupported`
 * @example signedPath({ options: 'rs:fit:300:200', source: { id }, extension: 'webp' }, config.deliveryKeys?.[0], { presets })
 */
export function signedPath(image: Signable, pair: SigningPair | undefined, dialect: DialectOptions): string {
	const { options, source, extension, expiresAt, prefix } = image;
	if (dialect.presetsOnly && expiresAt !== undefined) {
		throw new PicpipeError(
			'option-unsupported',
			'Expected no expiry, because it is an option and PICPIPE_PRESETS_ONLY allows only presets in URLs.',
		);
	}
	const written = expiresAt === undefined ? options : `${options.replace(/\/+$/, '')}/exp:${expiresAt}`;
	const path = imgproxyPath(written, source, extension);
	const read = parseImgproxy(path, dialect);
	// A part that is not an option would be read as the start of the source.
	if (!isSame(read.source, source)) {
		throw new PicpipeError(
			'invalid-delivery-url',
			`Expected options such as rs:fit:300:200/q:80 and a source but received ${JSON.stringify(options.slice(0, 200))}.`,
		);
	}
	return signPath(path, pair, prefix);
}

function isSame(one: ImageSource, other: ImageSource): boolean {
	if ('id' in one) return 'id' in other && one.id === other.id;
	return 'url' in other && one.url === URL.parse(other.url)?.href;
}

/** Reads a source: a picture id, or an http or https URL. */
function sourceOf(text: string): ImageSource {
	return /^https?:\/\//i.test(text) ? { url: text } : { id: text };
}

/**
 * Signs a URL with this machine's configuration and recipes file, without a server.
 *
 * @param image its source is an id or a URL
 * @throws ConfigError if a person has to act: no key, an invalid recipes file, unknown options
 */
export async function signUrl(
	config: Config,
	image: Omit<Signable, 'source' | 'prefix'> & { readonly source: string },
): Promise<string> {
	const { variable } = settings.deliveryKeys;
	const pair = config.deliveryKeys?.[0];
	if (!pair) {
		throw new ConfigError([
			`${variable}: expected <key>:<salt>, such as ${variable}=$(openssl rand -hex 32):$(openssl rand -hex 32), the same here and in the API, but received none`,
		]);
	}
	const { presets } = await loadRecipesFile(config.recipesFile, config, problemsOfPresets).catch(
		blame(settings.recipesFile.variable),
	);
	const { presetsOnly, imgproxyPrefix: prefix } = config;
	try {
		const source = sourceOf(image.source);
		const path = signedPath({ ...image, source, prefix }, pair, { presets: presets.imgproxy, presetsOnly });
		return below(config.publicUrl ?? config.apiUrl, path);
	} catch (error) {
		return blame('sign')(error);
	}
}

function blame(name: string): (error: unknown) => never {
	return (error) => {
		if (!(error instanceof PicpipeError)) throw error;
		throw new ConfigError([`${name}: ${error.message}`]);
	};
}
