import { parseUrl, transformUrl } from 'unpic';
import { describe, expect, it } from 'vitest';
import type { RenderPlan } from '../../../src/delivery/dialects/image-request.ts';
import { parseIpx } from '../../../src/delivery/dialects/ipx.ts';
import { planVariants } from '../../../src/pipeline/recipe/parse-recipe.ts';
import { id, photographFacts, plainOptions, planOfPath, recipeOf } from './cloudinary/plans.ts';

const cloudinary = 'https://res.cloudinary.com';
const ipx = 'https://pictures.example.org/ipx';

/** What an address of either language is made into. */
function planOf(url: string): RenderPlan {
	if (url.startsWith(cloudinary)) return planOfPath(url.slice(cloudinary.length), photographFacts, plainOptions);
	const { target } = parseIpx(url.slice(ipx.length), plainOptions);
	if (target.kind !== 'render') throw new TypeError(`Expected a render but received ${target.kind}.`);
	return target.plan(photographFacts);
}

/** What two plans have to have in common to make the same picture: one may name the width and the other the height. */
function essence(plan: RenderPlan) {
	const [variant] = planVariants(recipeOf(plan, 'webp'));
	const [scale, ...others] = variant?.steps ?? [];
	if (!scale || others.length > 0) throw new TypeError('Expected one step.');
	const { operation, options } = scale;
	const { width: _, height: __, ...how } = options as { width?: number; height?: number };
	const { output } = operation.predict(photographFacts, options);
	return { name: operation.name, how, output, format: plan.format, quality: plan.encode?.('webp').quality };
}

const toCloudinary = (operations: object) =>
	String(transformUrl({ url: `${cloudinary}/demo/image/upload/${id}`, provider: 'cloudinary', ...operations }));
const toIpx = (operations: object) =>
	String(transformUrl({ url: id, provider: 'ipx', ...operations }, {}, { ipx: { baseURL: ipx } }));

/** What unpic reads in an address; the mode is Cloudinary's own word, which unpic writes by itself. */
function operationsOf(url: string, provider: 'cloudinary' | 'ipx'): object {
	const { c: _, ...operations } = (parseUrl(url, provider, { baseURL: ipx })?.operations ?? {}) as { c?: string };
	return operations;
}

describe('a URL that unpic converts between dialects', () => {
	it.each([
		{ width: 300 },
		{ height: 200 },
		{ width: 300, height: 200 },
		{ width: 300, height: 200, format: 'webp' },
		{ width: 250, quality: 60, format: 'webp' },
		{ width: 120, height: 120, quality: 40, format: 'avif' },
	])('gives the same picture, in both directions: %j', (operations) => {
		const first = toCloudinary(operations);
		const second = toIpx(operationsOf(first, 'cloudinary'));
		const third = toCloudinary(operationsOf(second, 'ipx'));
		expect(first).toMatch(/^https:\/\/res\.cloudinary\.com\/demo\/image\/upload\//);
		expect(second).toMatch(/^https:\/\/pictures\.example\.org\/ipx\//);
		expect(third).toBe(first);
		expect(essence(planOf(second))).toEqual(essence(planOf(first)));
	});
});
