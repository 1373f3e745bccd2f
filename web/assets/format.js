/** @import { ListedPicture, ListedVariant, Picture } from '../types/api.d.ts' */

/** The states in words. Colour never stands alone. */
export const stateWords = /** @type {const} */ ({
	queued: 'Queued',
	processing: 'Processing',
	ready: 'Ready',
	failed: 'Failed',
});

/** @param {ListedPicture} picture */
export function nameOf(picture) {
	return picture.source.filename ?? picture.id;
}

/** @param {ListedPicture} picture */
export function isFinished(picture) {
	return picture.state === 'ready' || picture.state === 'failed';
}

/** The variants that a ready picture lacks. @param {ListedPicture} picture @returns {readonly NonNullable<Picture['failures']>[number][]} */
export function lackedBy({ state, failures = [] }) {
	return state === 'ready' ? failures : [];
}

const byteUnits = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** `2.8 MB`: powers of 1000, as file managers and browsers count. @param {number} bytes */
export function formatBytes(bytes) {
	const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), byteUnits.length - 1);
	return `${threeDigits(bytes / 1000 ** power)} ${byteUnits[power]}`;
}

/** `431 ms`, `1.28 s`, `2 min 5 s` @param {number} milliseconds */
export function formatDuration(milliseconds) {
	if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
	const seconds = milliseconds / 1000;
	if (seconds < 59.5) return `${threeDigits(seconds)} s`;
	const minutes = Math.floor(Math.round(seconds) / 60);
	return minutes < 60 ? `${minutes} min ${Math.round(seconds) % 60} s` : `${threeDigits(minutes / 60)} h`;
}

/** @param {number} value */
function threeDigits(value) {
	return String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}

const timeFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** A time in the reader's time zone and format. @param {string} iso */
export function formatTime(iso) {
	return timeFormat.format(new Date(iso));
}

/** `4000 × 3000` @param {{ readonly width: number, readonly height: number }} size */
export function formatSize({ width, height }) {
	return `${width} × ${height}`;
}

/** `1 picture`, `2 pictures` @param {number} count @param {string} noun */
export function countOf(count, noun) {
	return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Types that browsers show in a page. */
const shownTypes = /^image\/(webp|avif|jpeg|png|gif|svg\+xml)$/;

/**
 * The variants that a browser can show, smallest first.
 *
 * @param {{ readonly variants: readonly ListedVariant[] }} picture
 * @returns {ListedVariant[]}
 */
export function shownVariants(picture) {
	return [...picture.variants]
		.filter(({ type }) => shownTypes.test(type))
		.sort((a, b) => a.width * a.height - b.width * b.height);
}

/** A variant keeps its URL when it is made again. This URL changes, so an outdated copy is never shown. @param {ListedVariant} variant */
export function addressOf(variant) {
	const version = 'version' in variant ? variant.version : variant.sha256.slice(0, 8);
	return `${variant.url}?${version}`;
}
