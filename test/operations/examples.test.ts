import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { operations } from '../../src/operations/index.ts';
import { photograph } from '../helpers/pictures.ts';
import { expected } from './expected.ts';
import { difference, pixelsOf, stepped } from './pixels.ts';

const input = { width: 600, height: 400 };
/** Those whose example leaves this picture as it is. */
const without = ['flatten', 'trim'];
/** Largest mean difference of those that are made in another way than the expected picture: what rounding leaves for most. */
const tolerance: Readonly<Record<string, number>> = {
	// Crops before it enlarges.
	resize: 1,
	// Takes what lies around a block into its colour, too.
	pixelate: 6,
};

describe.each(operations)('operation $name', (operation) => {
	it('has an example with a visible effect, at the predicted size', async () => {
		const file = await photograph({ ...input, format: 'png' });
		const made = await stepped(file, { [operation.name]: operation.example });
		const { output, isAtMost = false } = operation.predict(input, operation.schema.parse(operation.example));
		if (!isAtMost) expect(made).toMatchObject(output);
		expect(made.width).toBeLessThanOrEqual(output.width);
		expect(made.height).toBeLessThanOrEqual(output.height);

		const right = await expected[operation.name]?.(file);
		if (!right) expect.fail(`Expected what ${operation.name} makes in test/operations/expected.ts.`);
		expect(difference(made, right)).toBeLessThan(tolerance[operation.name] ?? 0.5);
		// Otherwise an operation that does nothing would pass.
		const source = await pixelsOf(file);
		if (source.width !== made.width || source.height !== made.height || without.includes(operation.name)) return;
		expect(difference(made, source)).toBeGreaterThan(1);
	});

	it('describes itself and every option for the reference', () => {
		expect(operation.doc).toMatch(/^[A-Z].*\.$/);
		const schema = z.toJSONSchema(operation.schema, { io: 'input' });
		expect(schema.additionalProperties).toBe(false);
		for (const [name, option] of Object.entries(schema.properties ?? {})) {
			expect(option, name).toHaveProperty('description');
		}
	});

	it('treats options with their defaults filled in as the same options', () => {
		const options = operation.schema.parse(operation.example);
		expect(operation.schema.parse(JSON.parse(JSON.stringify(options)))).toEqual(options);
	});
});

it('no two operations share a name', () => {
	expect(new Set(operations.map(({ name }) => name)).size).toBe(operations.length);
});
