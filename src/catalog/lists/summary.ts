import type { Redis } from 'ioredis';
import {
	type FailedVariant,
	type Failure,
	failuresOf,
	isReceived,
	type Picture,
	type PictureState,
	pictureIdTime,
	shownUrl,
	type Waiting,
} from '../../domain/picture.ts';
import { askRedis } from '../../queue/redis.ts';

/** What the index holds of a picture: enough for lists, and as short as possible. The rest is in the manifest. */

/** A variant in a summary. */
interface VariantSummary {
	readonly name: string;
	readonly format: string;
	readonly width: number;
	readonly height: number;
	/** Changes with its bytes. */
	readonly version: string;
}

/** A picture as lists show it. */
export interface PictureSummary
	extends Pick<Picture, 'id' | 'revision' | 'createdAt' | 'updatedAt' | 'owner' | 'priority' | 'tags' | 'batch'> {
	readonly state: PictureState;
	readonly source: {
		readonly type?: string;
		readonly bytes?: number;
		readonly sha256?: string;
		readonly filename?: string;
		/** Only while the original is still to be fetched. */
		readonly url?: string;
	};
	readonly facts?: { readonly width: number; readonly height: number };
	readonly recipe: { readonly name: string; readonly digest: string; readonly variants: readonly string[] };
	readonly analysis: { readonly thumbhash?: string; readonly phash?: string };
	/** The first ones. */
	readonly variants: readonly VariantSummary[];
	readonly variantCount: number;
	readonly failure?: Failure;
	readonly failures?: readonly FailedVariant[];
	readonly waiting?: Waiting;
}

/** Most variants and failed variants of a summary. The variants of all built-in recipes fit. */
const mostVariants = 12;
const mostFailures = 16;
/** Longest ThumbHash of a summary, characters: the usual one has 28 to 34. */
const longestThumbhash = 48;
const longestUrl = 200;

/** As stored. One letter for each field, because a million pictures have them. */
interface StoredSummary {
	/** Revision; state, without `processing`. */
	readonly r: number;
	readonly s: Exclude<PictureState, 'processing'>;
	/** Creation and change, as milliseconds since the time of the id and since the creation. */
	readonly c?: number;
	readonly u?: number;
	readonly o?: string | undefined;
	readonly p?: number;
	readonly t?: readonly string[];
	readonly b?: string | undefined;
	/** Recipe: name and short digest. */
	readonly n: string;
	readonly d: string;
	/** Original: file name, type without `image/`, bytes, SHA-256 in base64url, URL while it is still to be fetched. */
	readonly f?: string | undefined;
	readonly y?: string;
	readonly z?: number;
	readonly h?: string;
	readonly l?: string;
	/** Width and height. */
	readonly w?: readonly [number, number];
	/** ThumbHash, perceptual hash. */
	readonly k?: string;
	readonly g?: string | undefined;
	/** Variants, such as `large.webp:1600:1067:0a1b2c3d`, and how many there are beyond them. */
	readonly v?: string;
	readonly m?: number;
	/** Failures that count, and the time of the first one. */
	readonly e?: readonly (Failure | FailedVariant)[];
	readonly i?: number;
	/** Failed variants of a failed picture, which count only with it. */
	readonly j?: readonly FailedVariant[];
	readonly x?: Waiting;
}

/** The first 16 bytes of a SHA-256, and the rest of it: base64url needs two thirds of the characters of hex. */
export function shortBytes(sha256: string): string {
	return Buffer.from(sha256, 'hex').toString('base64url');
}

/** @returns 12 hex digits, by which the index knows a recipe */
export function shortDigest(recipeDigest: string): string {
	return recipeDigest.slice(0, 12);
}

/** @returns the stored text, and what is stored once for all pictures of the recipe */
export function encodeSummary(picture: Picture): { readonly text: string; readonly recipe: string } {
	const {
		id,
		revision: r,
		state,
		recipe,
		source,
		tags,
		variants,
		analysis,
		facts,
		failures = [],
		waiting: x,
	} = picture;
	const created = Date.parse(picture.createdAt);
	const c = created - pictureIdTime(id);
	const u = Date.parse(picture.updatedAt) - created;
	const { filename: f, url } = source;
	const e = failuresOf(picture).slice(0, mostFailures);
	const { thumbhash, phash: g } = analysis;
	const summary: StoredSummary = {
		r,
		s: state === 'processing' ? 'queued' : state,
		...(c !== 0 && { c }),
		...(u !== 0 && { u }),
		o: picture.owner,
		...(picture.priority !== 0 && { p: picture.priority }),
		...(tags.length > 0 && { t: tags }),
		b: picture.batch,
		n: recipe.name,
		d: shortDigest(recipe.digest),
		f,
		...(isReceived(picture)
			? {
					y: picture.source.type.replace(/^image\//, ''),
					z: picture.source.bytes,
					h: shortBytes(picture.source.sha256),
				}
			: url !== undefined && { l: shownUrl(url).slice(0, longestUrl) }),
		...(facts && { w: [facts.width, facts.height] as const }),
		...(thumbhash && thumbhash.length <= longestThumbhash && { k: thumbhash }),
		g,
		...(variants.length > 0 && {
			v: variants
				.slice(0, mostVariants)
				.map((one) => [`${one.name}.${one.format}`, one.width, one.height, one.sha256.slice(0, 8)].join(':'))
				.join(' '),
		}),
		...(variants.length > mostVariants && { m: variants.length - mostVariants }),
		...(e[0] && { e, i: Date.parse(e[0].at) }),
		...(state === 'failed' && failures.length > 0 && { j: failures.slice(0, mostFailures) }),
		...(x && { x }),
	};
	const names = Object.keys(recipe.definition.variants);
	return { text: JSON.stringify(summary), recipe: JSON.stringify([recipe.digest, ...names]) };
}

/** @param recipe as stored once for all pictures of the recipe */
function decodeSummary(id: string, text: string, recipe: string | undefined, isProcessing: boolean): PictureSummary {
	const {
		r,
		s,
		c = 0,
		u = 0,
		o,
		p = 0,
		t = [],
		b,
		n,
		d,
		f,
		y,
		z,
		h,
		l,
		w,
		k,
		g,
		v,
		m = 0,
		e,
		j,
		x,
	}: StoredSummary = JSON.parse(text);
	const created = pictureIdTime(id) + c;
	const [digest = d, ...names] = recipe === undefined ? [] : (JSON.parse(recipe) as string[]);
	const variants = (v?.split(' ') ?? []).map((part): VariantSummary => {
		const [file = '', width, height, version = ''] = part.split(':');
		const [name = '', format = ''] = file.split('.');
		return { name, format, width: Number(width), height: Number(height), version };
	});
	return {
		id,
		state: s === 'queued' && isProcessing ? 'processing' : s,
		revision: r,
		createdAt: new Date(created).toISOString(),
		updatedAt: new Date(created + u).toISOString(),
		...(o !== undefined && { owner: o }),
		source: {
			...(y !== undefined && { type: y.includes('/') ? y : `image/${y}` }),
			...(z !== undefined && { bytes: z }),
			...(h !== undefined && { sha256: Buffer.from(h, 'base64url').toString('hex') }),
			...(f !== undefined && { filename: f }),
			...(l !== undefined && { url: l }),
		},
		...(w && { facts: { width: w[0], height: w[1] } }),
		recipe: { name: n, digest, variants: names },
		priority: p,
		tags: [...t],
		...(b !== undefined && { batch: b }),
		variants,
		variantCount: variants.length + m,
		analysis: { ...(k !== undefined && { thumbhash: k }), ...(g !== undefined && { phash: g }) },
		...(s === 'failed' && e?.[0] && { failure: e[0] }),
		...(s === 'failed' ? j && { failures: j } : e && { failures: e as readonly FailedVariant[] }),
		...(x && s === 'queued' && { waiting: x }),
	};
}

/** The summary of a picture as lists show it, from its manifest. */
export function summaryOf(picture: Picture): PictureSummary {
	const { text, recipe } = encodeSummary(picture);
	return decodeSummary(picture.id, text, recipe, picture.state === 'processing');
}

/** Recipes to remember in this process. */
const mostRecipes = 500;

/** Reads summaries. */
export interface Summaries {
	/** In the order of the ids; undefined for a picture that the index does not know. */
	read(ids: readonly string[]): Promise<(PictureSummary | undefined)[]>;
	/** From what a page has read. */
	decode(page: {
		readonly ids: readonly string[];
		readonly documents: readonly string[];
		readonly processing: readonly number[];
	}): Promise<(PictureSummary | undefined)[]>;
}

/** @param prefix of the index */
export function openSummaries(redis: Redis, prefix: string): Summaries {
	const recipes = new Map<string, string>();

	/** A digest has one meaning for ever, so what was read once stays true. */
	const learnRecipes = async (digests: ReadonlySet<string>) => {
		const unknown = [...digests].filter((digest) => !recipes.has(digest));
		if (unknown.length === 0) return;
		const found = await askRedis(redis, () => redis.hmget(`${prefix}recipes`, ...unknown));
		if (recipes.size > mostRecipes) recipes.clear();
		for (const [at, recipe] of found.entries()) if (recipe) recipes.set(unknown[at] as string, recipe);
	};

	const decode: Summaries['decode'] = async ({ ids, documents, processing }) => {
		const digestOf = (document: string) => (document ? ((JSON.parse(document) as { d: string }).d ?? '') : '');
		const digests = documents.map(digestOf);
		await learnRecipes(new Set(digests.filter(Boolean)));
		return ids.map((id, at) => {
			const document = documents[at];
			if (!document) return undefined;
			return decodeSummary(id, document, recipes.get(digests[at] as string), processing[at] === 1);
		});
	};

	return {
		decode,
		async read(ids) {
			if (ids.length === 0) return [];
			const [documents, processing] = await askRedis(redis, () =>
				Promise.all([
					redis.mget(ids.map((id) => `${prefix}picture:${id}`)),
					redis.zmscore(`${prefix}processing`, ...ids),
				]),
			);
			return decode({
				ids,
				documents: documents.map((one) => one ?? ''),
				processing: processing.map((score) => (score === null ? 0 : 1)),
			});
		},
	};
}
