import { linearLight } from '../pixels/linear-light.ts';

/** Groups colours that look the same, for a palette. */

export interface Cluster {
	/** Its most frequent colour: 0xrrggbb. */
	readonly colour: number;
	/** Of all pixels, 0 to 1. */
	readonly share: number;
}

type Point = readonly [number, number, number];

/** Pixels whose colours differ in the lowest three bits at most. */
interface Bin {
	/** Mean colour. */
	readonly colour: number;
	readonly point: Point;
	/** Pixels. */
	readonly count: number;
}

/** Distance in OKLab below which two colours can only be told apart side by side. */
const barelyDifferent = 0.04;
/** Rounds of moving bins to the nearest cluster; they settle after a few. */
const rounds = 8;

/**
 * Median cut in a perceptual colour space, then k-means: the group with the largest spread is split at its mean until there
 * are enough (Heckbert, "Color Image Quantization for Frame Buffer Display", 1982, with Wu's choice of group and place, 1991),
 * and then every colour moves to the nearest mean (Lloyd, 1982). It is deterministic: the same pixels give the same groups.
 *
 * @param pixels 0xrrggbb each
 * @returns at most `most` clusters, the largest first
 */
export function clusterColours(pixels: readonly number[], most: number): Cluster[] {
	const bins = binsOf(pixels);
	if (bins.length === 0) return [];
	let groups: Bin[][] = [bins];
	while (groups.length < most) {
		const widest = groups.map((group) => ({ group, ...spreadOf(group) })).sort((a, b) => b.spread - a.spread)[0];
		if (!widest || widest.spread === 0) break;
		const { group, axis, mean } = widest;
		const low = group.filter(({ point }) => point[axis] < mean);
		groups = [...groups.filter((other) => other !== group), low, group.filter((bin) => !low.includes(bin))];
	}
	for (let round = 0; round < rounds; round++) groups = regroup(bins, groups.map(meanOf));
	return mergeAlike(groups)
		.map((group) => ({ colour: mostFrequent(group), share: countOf(group) / pixels.length }))
		.sort((a, b) => b.share - a.share || a.colour - b.colour);
}

function binsOf(pixels: readonly number[]): Bin[] {
	const sums = new Map<number, [number, number, number, number]>();
	for (const pixel of pixels) {
		const [red, green, blue] = [pixel >> 16, (pixel >> 8) & 255, pixel & 255];
		const key = ((red >> 3) << 10) | ((green >> 3) << 5) | (blue >> 3);
		const sum = sums.get(key) ?? [0, 0, 0, 0];
		sums.set(key, [sum[0] + red, sum[1] + green, sum[2] + blue, sum[3] + 1]);
	}
	return [...sums.values()].map(([red, green, blue, count]) => {
		const mean = [red, green, blue].map((sum) => Math.round(sum / count)) as [number, number, number];
		return { colour: (mean[0] << 16) | (mean[1] << 8) | mean[2], point: oklab(mean), count };
	});
}

/** The axis along which a group has the largest spread. */
function spreadOf(group: readonly Bin[]): { axis: 0 | 1 | 2; mean: number; spread: number } {
	const means = meanOf(group);
	const spreads = ([0, 1, 2] as const).map((axis) =>
		group.length < 2 ? 0 : group.reduce((sum, { point, count }) => sum + count * (point[axis] - means[axis]) ** 2, 0),
	);
	const spread = Math.max(...spreads);
	const axis = spreads.indexOf(spread) as 0 | 1 | 2;
	return { axis, mean: means[axis], spread };
}

function regroup(bins: readonly Bin[], means: readonly Point[]): Bin[][] {
	const groups: Bin[][] = means.map(() => []);
	for (const bin of bins) {
		const distances = means.map((mean) => distance(bin.point, mean));
		groups[distances.indexOf(Math.min(...distances))]?.push(bin);
	}
	return groups.filter((group) => group.length > 0);
}

function mergeAlike(groups: readonly Bin[][]): Bin[][] {
	const merged: Bin[][] = [];
	for (const group of groups) {
		const alike = merged.find((other) => distance(meanOf(other), meanOf(group)) < barelyDifferent);
		if (alike) alike.push(...group);
		else merged.push([...group]);
	}
	return merged;
}

function meanOf(group: readonly Bin[]): Point {
	const total = countOf(group);
	const mean = (axis: 0 | 1 | 2) => group.reduce((sum, { point, count }) => sum + point[axis] * count, 0) / total;
	return [mean(0), mean(1), mean(2)];
}

function countOf(group: readonly Bin[]): number {
	return group.reduce((sum, { count }) => sum + count, 0);
}

function mostFrequent(group: readonly Bin[]): number {
	return group.reduce((best, bin) => (bin.count > best.count ? bin : best), { colour: 0, count: 0 }).colour;
}

function distance(a: Point, b: Point): number {
	return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** sRGB to OKLab, in which equal distances look equally different (Ottosson, bottosson.github.io/posts/oklab, 2020). */
function oklab(rgb: Point): Point {
	const [red, green, blue] = rgb.map(linearLight) as [number, number, number];
	const long = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
	const medium = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
	const short = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
	return [
		0.2104542553 * long + 0.793617785 * medium - 0.0040720468 * short,
		1.9779984951 * long - 2.428592205 * medium + 0.4505937099 * short,
		0.0259040371 * long + 0.7827717662 * medium - 0.808675766 * short,
	];
}
