import { thumbHashToDataURL } from './thumbhash.js';

/**
 * Shows a blurred preview behind an element until its image has loaded. Then it is removed, because it would shine through transparent
 * pixels.
 *
 * @param {HTMLElement} element
 * @param {HTMLImageElement} image
 * @param {string | undefined} thumbhash in base64
 */
export function placePlaceholder(element, image, thumbhash) {
	if (!thumbhash) return;
	element.style.background = `center / 100% 100% url(${thumbHashToDataURL(bytesOf(thumbhash))})`;
	image.addEventListener('load', () => element.style.removeProperty('background'), { once: true });
}

/** @param {string} base64 */
function bytesOf(base64) {
	return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
