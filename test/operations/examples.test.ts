import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { operations } from '../../src/operations/index.ts';
import { photograph } from '../helpers/pictures.ts';
import { make, one } from '../pipeline/make.ts';

describe.each(operations)('operation $name', (operation) => {
	it('does what its example shows, at the size that it predicts', async () => {
		const input = { width: 1200, height: 800 };
		const made = await make(await photograph(input), one([{ [operation.name]: operation.example }]));
		const { output } = operation.predict(input, operation.schema.parse(operation.example));
		expect(await sharp(made.variant('only').data).metadata()).toMatchObject(output);
	});

	it('describes itself and every option for the reference', () => {
		expect(operation.doc).toMatch(/^[A-Z].*\.$/);
		const schema = z.toJSONSchema(operation.schema, { io: 'input' });
		expect(schema.additionalProperties).toBe(false);
		for (const [name, option] of Object.entries(schema.properties ?? {})) {
			expect(option, name).toHaveProperty('description');
		}
	});
});

it('has no two operations of one name', () => {
	expect(new Set(operations.map(({ name }) => name)).size).toBe(operations.length);
});
