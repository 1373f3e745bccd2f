import { settings } from '../config/index.ts';
import type { Picture, ReceivedPicture } from '../domain/picture.ts';
import type { RecipeLimits } from '../domain/recipe.ts';
import { isRetryable, PicpipeError } from '../errors.ts';
import { renderJob } from '../queue/jobs.ts';
import { readObject, type Storage, type StoredObject } from '../storage/storage.ts';
import type { ImageTarget, RenderFormat, RenderPlan, VariantTarget } from './dialects/image-request.ts';
import { type ImageResult, maximumCached } from './memory-cache.ts';
import { type Accepted, formatsFor, sourceFormat } from './negotiate.ts';
import { type FindAssets, type PreparedRender, prepareRender } from './prepare.ts';
import { prepareVariant } from './prepare-variant.ts';
import type { Renders } from './single-flight.ts';

/** The parts that find and make images. */
export interface DeliveryParts {
	readonly storage: Storage;
	readonly renders: Renders;
	readonly limits: RecipeLimits;
	readonly findAssets: FindAssets;
	/** Called with the key of each render that is served. */
	readonly onUse: (key: string) => void;
	readonly avif: 'later' | 'now' | 'never';
}

/** A picture and the image of it that is requested. */
interface Requested {
	/** A finished picture. */
	readonly picture: ReceivedPicture;
	readonly target: ImageTarget;
	/** The request may receive the original, with all of its metadata. */
	readonly mayBeOriginal: boolean;
}

/** How an image is requested. */
export interface DeliveryRequest {
	/** Formats that the client supports. They decide if the URL leaves the format open. */
	readonly accepted: Accepted;
	/** Longest wait until the image is made. */
	readonly milliseconds: number;
	/** Aborts when the client has left. */
	readonly signal: AbortSignal;
	readonly requestId?: string;
}

/** Undefined while the image is being made. */
type Delivered = ImageResult | undefined;

/**
 * Finds the image of a URL, or has it made.
 *
 * @throws PicpipeError why it can't be made, `variant-not-found`, `invalid-signature` for an original that the request may not receive, and what the plan
 *   throws
 */
export async function findOrMake(
	parts: DeliveryParts,
	{ picture, target, mayBeOriginal }: Requested,
	wait: DeliveryRequest,
): Promise<Delivered> {
	const original = () => {
		if (mayBeOriginal) return openOriginal(parts.storage, picture);
		throw new PicpipeError(
			'invalid-signature',
			`Expected a signed URL for an original but this one is unsigned; ${settings.deliveryUnsignedOriginals.variable}=true makes all originals public.`,
		);
	};
	if (target.kind === 'original') return original();
	if (target.kind === 'variant') return variant(parts, picture, target, wait);
	const source = factsOf(picture);
	const plan = target.plan(source);
	if (plan.isUnneeded) return original();
	const made = await render(parts, picture, plan, wait);
	return made && plan.format === 'auto' ? { ...made, isNegotiated: true } : made;
}

async function openOriginal(storage: Storage, { source }: ReceivedPicture): Promise<ImageResult> {
	const found = await storage.stat(source.key);
	if (!found) throw new PicpipeError('original-missing');
	return { ...found, key: source.key, type: source.type, etag: `"${source.sha256}"` };
}

/** A variant of a recipe; made again if its file is missing. */
async function variant(
	parts: DeliveryParts,
	picture: ReceivedPicture,
	target: VariantTarget,
	wait: DeliveryRequest,
): Promise<Delivered> {
	const { name, format } = target;
	const made = picture.variants.find((one) => one.name === name && (format === undefined || one.format === format));
	if (made) {
		const found = await parts.storage.stat(made.key);
		if (found) return keep(parts.storage, { ...found, key: made.key, type: made.type, etag: `"${made.sha256}"` });
	} else throwIfFailed(picture, target);
	const prepared = await prepareVariant(picture, target, parts.findAssets);
	return (await find(parts, picture, prepared)) ?? make(parts, picture, prepared, wait);
}

/** A variant that failed for good would fail again. @throws PicpipeError the reason that its picture names */
function throwIfFailed({ failures = [] }: Picture, { name, format }: VariantTarget): void {
	const failure = failures.find(
		(one) => one.variant === name && (one.format === undefined || format === undefined || one.format === format),
	);
	if (!failure || isRetryable(failure.class)) return;
	throw new PicpipeError(failure.code, failure.message, { step: failure.step });
}

/** Every picture that was processed once has facts. */
function factsOf({ facts, state }: Picture) {
	if (!facts) throw new PicpipeError('not-processed', `The picture is ${state} and has not been processed yet.`);
	return facts;
}

async function render(
	parts: DeliveryParts,
	picture: ReceivedPicture,
	plan: RenderPlan,
	wait: DeliveryRequest,
): Promise<Delivered> {
	const [wanted, ...others] = formatsOf(plan, factsOf(picture), wait.accepted, parts.avif);
	const prepare = (format: RenderFormat) => prepareRender(picture, plan, format, parts);
	if (wanted === undefined) throw new PicpipeError('internal', 'A render has no output format.');
	const best = await prepare(wanted);
	const known = await find(parts, picture, best);
	if (known) return known;
	const [instead] = others;
	if (instead === undefined) return make(parts, picture, best, wait);

	// The better format is queued after its stand-in is made, so that no request waits for it.
	const standIn = await prepare(instead);
	const shown = (await find(parts, picture, standIn)) ?? (await make(parts, picture, standIn, wait));
	await parts.renders.request(jobOf(picture, best, wait), 'later').catch((error) => {
		// The stand-in is served, whatever happens to the better format.
		if (!(error instanceof PicpipeError)) throw error;
	});
	return shown && { ...shown, isStandIn: true };
}

/** Formats to write, best first. A format in the URL leaves no choice. */
function formatsOf(
	plan: RenderPlan,
	facts: ReturnType<typeof factsOf>,
	accepted: Accepted,
	avif: DeliveryParts['avif'],
): readonly RenderFormat[] {
	if (plan.format === 'source') return [sourceFormat(facts)];
	if (plan.format !== 'auto') return [plan.format];
	// A still of an animation has one frame.
	const isStill = plan.encode?.('webp').animated === false;
	const taken = { ...accepted, avif: accepted.avif && avif !== 'never' };
	const formats = formatsFor(isStill ? { ...facts, frames: 1 } : facts, taken);
	return avif === 'later' ? formats : formats.slice(0, 1);
}

/** A stored render, or a variant of a recipe with the same digest. */
async function find(
	parts: DeliveryParts,
	picture: Picture,
	prepared: PreparedRender,
): Promise<ImageResult | undefined> {
	const { storage } = parts;
	const { digest, type, key } = prepared;
	const variant = picture.variants.find((one) => one.digest === digest);
	const stored = variant && (await storage.stat(variant.key));
	if (variant && stored) return keep(storage, { ...stored, key: variant.key, type, etag: `"${variant.sha256}"` });
	const found = await storage.stat(key);
	return found && rendered(parts, prepared, found);
}

/** A stored render. */
async function rendered(
	{ storage, onUse }: DeliveryParts,
	{ digest, type, key }: PreparedRender,
	found: StoredObject,
): Promise<ImageResult> {
	onUse(key);
	return keep(storage, { ...found, key, type, etag: renderTag(digest, found) });
}

/** The digest determines the bytes, except after an encoder was replaced. Size and time distinguish those files. */
function renderTag(digest: string, { bytes, modifiedAt }: StoredObject): string {
	return `"${digest}-${bytes.toString(36)}-${Math.round(modifiedAt.getTime()).toString(36)}"`;
}

async function keep(storage: Storage, result: ImageResult): Promise<ImageResult> {
	if (result.bytes > maximumCached) return result;
	const data = await readObject(storage, result.key);
	return data?.length === result.bytes ? { ...result, data } : result;
}

async function make(
	parts: DeliveryParts,
	picture: ReceivedPicture,
	prepared: PreparedRender,
	wait: DeliveryRequest,
): Promise<Delivered> {
	const made = await parts.renders.make(jobOf(picture, prepared, wait), wait);
	return made && rendered(parts, prepared, made);
}

function jobOf(picture: ReceivedPicture, { recipe, digest, key }: PreparedRender, { requestId }: DeliveryRequest) {
	const { id: pictureId, owner } = picture;
	return renderJob({
		pictureId,
		recipe,
		digest,
		key,
		...(owner !== undefined && { owner }),
		...(requestId !== undefined && { requestId }),
	});
}
