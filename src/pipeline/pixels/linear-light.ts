/**
 * Linear light, 0 to 1, of an sRGB value, 0 to 255 (IEC 61966-2-1); Display P3 has the same curve. Without sharp, because the API loads the analysis, which
 * groups colours by it.
 */
export function linearLight(number: number): number {
	const share = number / 255;
	return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
}
