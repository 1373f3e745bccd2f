/**
 * sharp, for operations that make pictures of their own. Loaded when one is applied and not before: whoever only checks recipes,
 * as the API does, can do without it.
 */
export async function loadSharp() {
	return (await import('sharp')).default;
}
