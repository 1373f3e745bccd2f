import { thumbHashToDataURL } from './thumbhash.js';

/**
 * Puts a picture's blurred likeness behind an element until its image is there; then it would shine through what is transparent.
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
