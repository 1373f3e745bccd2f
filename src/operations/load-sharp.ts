/**
 * Loads sharp for operations that create pictures of their own. It loads when such an operation is applied, so that the API can
 * check recipes without it.
 */
export async function loadSharp() {
	return (await import('sharp')).default;
}
