import {
	choice,
	hostList,
	integer,
	type Kind,
	listOf,
	matching,
	optional,
	secret,
	secretList,
	setting,
	yesOrNo,
} from './kinds.ts';
import { memory } from './memory.ts';

/** A key and a salt, as imgproxy has them: both hex, at least 16 bytes. */
export interface SigningPair {
	readonly key: Buffer;
	readonly salt: Buffer;
}

/** Longest lifetime of a signed URL, seconds: ten years. */
export const maximumUrlLifetime = 315_360_000;

/** Maximum pairs tried for one signature: two during a rotation, and a few more. */
const maximumPairs = 10;

const pairList = listOf(
	'pairs <key>:<salt> of hex digits, at least 32 each, separated by commas',
	(item): SigningPair | undefined => {
		const [, key, salt] = /^((?:[0-9a-f]{2}){16,}):((?:[0-9a-f]{2}){16,})$/i.exec(item) ?? [];
		return key && salt ? { key: Buffer.from(key, 'hex'), salt: Buffer.from(salt, 'hex') } : undefined;
	},
	maximumPairs,
);

/** First segments of picpipe's own paths, which no other URL may begin with. */
export const ownSegments = ['v1', 'ipx', 'cld', 'assets', 'dashboard.json', 'healthz', 'readyz', 'metrics'];

const prefixSegments = /^(?:\/[\w.~-]+)*$/;

/** The parsed value has no slash at its end, so that of the root is empty. */
const pathPrefix: Kind<string> = {
	expected: `a path such as /images, or / for the root, that does not begin with ${ownSegments.map((one) => `/${one}`).join(', ')}`,
	parse: (value) => {
		const prefix = value.replace(/\/$/, '');
		const [, first = ''] = prefix.split('/');
		const isPath = value.startsWith('/') && prefixSegments.test(prefix) && !/\/\.{1,2}(?:\/|$)/.test(prefix);
		return isPath && !ownSegments.includes(first) ? prefix : undefined;
	},
};

/** Images that are made for URLs. */
export const delivery = {
	title: 'Image URLs',
	settings: {
		deliveryKeys: secret(
			optional(
				'PICPIPE_DELIVERY_KEYS',
				pairList,
				'Keys and salts for URLs below `/img` and `/ipx`. The first pair signs; all pairs verify.',
			),
		),
		deliveryUnsigned: setting(
			'PICPIPE_DELIVERY_UNSIGNED',
			choice('local', 'true', 'false'),
			'local',
			'Serves unsigned URLs. `local`: only while no API key exists, so that only this machine is served.',
		),
		deliveryUnsignedOriginals: setting(
			'PICPIPE_DELIVERY_UNSIGNED_ORIGINALS',
			yesOrNo,
			'false',
			'Unsigned URLs may ask for originals although API keys exist. All originals become public, with their GPS positions.',
		),
		deliveryHosts: optional(
			'PICPIPE_DELIVERY_HOSTS',
			hostList,
			'Hosts whose pictures image URLs may name by URL, redirects included. Default: none.',
		),
		deliverySeconds: setting(
			'PICPIPE_DELIVERY_SECONDS',
			integer(0, 31_536_000, 'seconds'),
			31_536_000,
			'`Cache-Control: max-age` of images from signed URLs.',
		),
		deliveryUnsignedSeconds: setting(
			'PICPIPE_DELIVERY_UNSIGNED_SECONDS',
			integer(0, 31_536_000, 'seconds'),
			3_600,
			'`Cache-Control: max-age` of images from unsigned URLs.',
		),
		deliveryMegabytes: {
			...setting(
				'PICPIPE_DELIVERY_MEGABYTES',
				integer(0, 1_000_000, 'MB'),
				memory.deliveryMegabytes,
				'Memory of each API process that caches small, frequently requested images.',
			),
			defaultNote: '64; below 2 GB of memory a thirty-second of it',
		},
		deliveryRemember: setting(
			'PICPIPE_DELIVERY_REMEMBER_SECONDS',
			integer(0, 3_600, 'seconds'),
			5,
			'How long an API process serves a cached image without checking that its picture still exists.',
		),
		accelRedirect: optional(
			'PICPIPE_ACCEL_REDIRECT',
			matching(/^\/[\w./-]*$/, 'a path such as /stored/'),
			'Path of the `internal` nginx location that sends stored images (`X-Accel-Redirect`). Needs storage in a folder.',
		),
		deliveryFallback: optional(
			'PICPIPE_DELIVERY_FALLBACK',
			matching(/^pic_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/, 'the id of a picture'),
			'Picture served instead of an image that cannot be made. Default: an error document.',
		),
		presetsOnly: setting(
			'PICPIPE_PRESETS_ONLY',
			yesOrNo,
			'false',
			'Image URLs may name presets of the recipes file and nothing else, in every dialect.',
		),
		imgproxyPrefix: setting(
			'PICPIPE_IMGPROXY_PREFIX',
			pathPrefix,
			'/img',
			'Path before the signature in imgproxy URLs, such as `/images`, or `/` for none. URLs below `/img` work as well.',
		),
		ipx: setting('PICPIPE_IPX', yesOrNo, 'false', 'Serves image URLs in the syntax of IPX below `/ipx`.'),
		cloudinary: setting(
			'PICPIPE_CLOUDINARY',
			yesOrNo,
			'false',
			'Serves image URLs in the syntax of Cloudinary below `/cld`.',
		),
		cloudinarySecrets: secret(
			optional(
				'PICPIPE_CLOUDINARY_SECRETS',
				secretList('secrets'),
				'Secrets that sign URLs below `/cld`, like the API secret of Cloudinary. All of them verify.',
			),
		),
		renderSeconds: setting(
			'PICPIPE_RENDER_SECONDS',
			integer(0, 600, 'seconds'),
			20,
			'Maximum time a request waits for an image. After it the response is 202 with `Retry-After`.',
		),
		renderQueue: setting(
			'PICPIPE_RENDER_QUEUE',
			integer(1, 1_000_000, 'renders'),
			500,
			'Maximum waiting renders. Further requests get 503.',
		),
		renderFailureSeconds: setting(
			'PICPIPE_RENDER_FAILURE_SECONDS',
			integer(0, 86_400, 'seconds'),
			60,
			'Pause before a failed render, or a failed fetch from `PICPIPE_DELIVERY_HOSTS`, is tried again.',
		),
		renderAvif: setting(
			'PICPIPE_RENDER_AVIF',
			choice('later', 'now', 'never'),
			'later',
			'When clients that accept AVIF get it. `later` serves WebP until AVIF, which takes far longer to encode, is ready.',
		),
		renderFrom: setting(
			'PICPIPE_RENDER_FROM',
			choice('variants', 'original'),
			'variants',
			'Source of renders: a stored variant that is large enough, which takes a quarter less work, or always the original.',
		),
		renderMegabytes: setting(
			'PICPIPE_RENDER_MEGABYTES',
			integer(1, 1_000_000_000, 'MB'),
			10_000,
			'Storage for rendered images. The least recently used ones are deleted first.',
		),
	},
	notes: [
		`\`PICPIPE_DELIVERY_KEYS\` contains pairs \`<key>:<salt>\` in hex; \`openssl rand -hex 32\` creates a key or a salt. To rotate, put the new pair
before the old one, and remove the old pair once its URLs are gone. Anyone who can request any size can keep the workers busy, so sign URLs
as soon as others can reach the API.`,
		`With \`PICPIPE_DELIVERY_UNSIGNED_ORIGINALS=true\`, anyone who knows the id of a picture can download the uploaded file with \`raw:1\` or
\`skip_processing\`, including the location, the camera and the owner in its metadata. Signed URLs can always request originals.`,
		`Each picture of \`PICPIPE_DELIVERY_HOSTS\` is fetched once, by the rules of \`PICPIPE_FETCH_*\`, and stored as a picture.`,
		`\`PICPIPE_IMGPROXY_PREFIX\` is not part of the signed path, like \`IMGPROXY_PATH_PREFIX\`. With \`/\`, the paths of picpipe itself win: only a URL
with two segments or more that begins like none of them is an image URL. URLs that picpipe signs begin with the prefix.`,
		`With \`PICPIPE_PRESETS_ONLY\`, URLs below \`/img\` have the form \`/<signature>/<preset>/<source>\`. Signed URLs of this form cannot expire,
because the expiry is an option.`,
		`With \`PICPIPE_RENDER_FROM=variants\`, a render uses the smallest stored variant that shows the whole picture at twice the size or more,
unless the URL requests a higher quality than the default. The difference is invisible.`,
	],
} as const;
