import { type DeepPixels, type Pixels, toEightBitAlpha } from '../pixels/pixels.ts';
import type { HdrDescription } from './description.ts';
import { bt2020Primaries, conversion, srgbPrimaries } from './description.ts';
import { numberOf } from './srgb.ts';

/*
 * High dynamic range for screens without it. Values become light (ITU-R BT.2100), bright light is compressed by the reference white tone mapping operator
 * (SMPTE ST 2094-50, annex D), and the result is clipped to sRGB. Chromium does the same (docs/decisions/0060-colours-without-a-profile.md).
 */

/** Luminance in cd/m² of a sheet of white paper, which the operator keeps apart from highlights (ITU-R BT.2408, 2.1). */
const referenceWhite = 203;
/** Luminance in cd/m² that pictures are made for, if they name none. */
const usualPeak = 1_000;

/**
 * Maps pixels to sRGB with 8 bits per channel. Call it after scaling, when there are fewer pixels.
 *
 * @param pixels values as stored, with unpremultiplied alpha if there is any
 * @param maximum the value of full light
 */
export function mappedToSrgb(
	{
		data,
		width,
		height,
		channels,
	}: Pick<DeepPixels, 'width' | 'height' | 'channels'> & { readonly data: Uint8Array | Uint16Array },
	maximum: number,
	{ primaries, transfer, peak = usualPeak }: HdrDescription,
): Pixels {
	const toWide = conversion(primaries, bt2020Primaries);
	const toSrgb = conversion(bt2020Primaries, srgbPrimaries);
	if (!toWide || !toSrgb) throw new TypeError('Expected primaries that span an area.');
	const [[wrr, wrg, wrb], [wgr, wgg, wgb], [wbr, wbg, wbb]] = toWide;
	const [[srr, srg, srb], [sgr, sgg, sgb], [sbr, sbg, sbb]] = toSrgb;
	const eotf = transfer === 'pq' ? pqLight : hlgSceneLight;
	const light = Float32Array.from({ length: maximum + 1 }, (_, value) => eotf(value / maximum));
	const gain = gainFor(peak / referenceWhite);
	const mapped = Buffer.alloc(data.length);
	const lightOf = (at: number) => light[Math.min(data[at] ?? 0, maximum)] ?? 0;
	for (let at = 0; at + 2 < data.length; at += channels) {
		const [r, g, b] = [lightOf(at), lightOf(at + 1), lightOf(at + 2)];
		const wideRed = Math.max(0, wrr * r + wrg * g + wrb * b);
		const wideGreen = Math.max(0, wgr * r + wgg * g + wgb * b);
		const wideBlue = Math.max(0, wbr * r + wbg * g + wbb * b);
		const shown = transfer === 'hlg' ? hlgDisplayGain(wideRed, wideGreen, wideBlue) : 1;
		const by = shown * gain(shown * Math.max(wideRed, wideGreen, wideBlue));
		const [red, green, blue] = [by * wideRed, by * wideGreen, by * wideBlue];
		mapped[at] = numberOf(srr * red + srg * green + srb * blue);
		mapped[at + 1] = numberOf(sgr * red + sgg * green + sgb * blue);
		mapped[at + 2] = numberOf(sbr * red + sbg * green + sbb * blue);
		if (channels === 4) mapped[at + 3] = toEightBitAlpha(data[at + 3] ?? 0, maximum);
	}
	return { data: mapped, width, height, channels };
}

/** Light of a PQ value, 1 for the reference white (ITU-R BT.2100, table 4). */
function pqLight(value: number): number {
	const power = value ** (1 / 78.84375);
	const ratio = Math.max(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power);
	return (10_000 / referenceWhite) * ratio ** (1 / 0.1593017578125);
}

/** Light of the scene of an HLG value, 0 to 1 (ITU-R BT.2100, table 5). */
function hlgSceneLight(value: number): number {
	const [a, b, c] = [0.17883277, 0.28466892, 0.55991073];
	return value <= 0.5 ? value ** 2 / 3 : (Math.exp((value - c) / a) + b) / 12;
}

/**
 * The factor by which a display of 1,000 cd/m² multiplies the light of the scene (ITU-R BT.2100, table 5); the result is 1 for the
 * reference white.
 */
function hlgDisplayGain(red: number, green: number, blue: number): number {
	const luminance = 0.2627 * red + 0.678 * green + 0.0593 * blue;
	return (usualPeak / referenceWhite) * luminance ** 0.2;
}

/** Curvature of the operator (SMPTE ST 2094-50, annex D). */
const kappa = 0.65;

/**
 * The operator: light up to the reference white is darkened by one factor, and a quadratic Bézier curve leads from there to the brightest light, which becomes
 * white. The factor depends on the largest of red, green and blue, so that hues stay.
 *
 * @param brightest light, relative to the reference white
 */
function gainFor(brightest: number): (light: number) => number {
	if (brightest <= 1) return () => 1;
	const white = 1 - 0.5 * Math.min(Math.log(brightest) / Math.log(usualPeak / referenceWhite), 1);
	const [middleX, middleY] = [1 - kappa + kappa / white, (1 - kappa) * white + kappa];
	// x = 1 + linearX × t + squareX × t², and y likewise, with t from 0 to 1.
	const [linearX, squareX] = [2 * middleX - 2, 1 - 2 * middleX + brightest];
	const [linearY, squareY] = [2 * middleY - 2 * white, white - 2 * middleY + 1];
	return (light) => {
		if (light <= 1) return white;
		if (light >= brightest) return 1 / light;
		// This form of the solution also holds where the square is zero.
		const t = (2 * (light - 1)) / (linearX + Math.sqrt(linearX ** 2 + 4 * squareX * (light - 1)));
		return (white + linearY * t + squareY * t * t) / light;
	};
}
