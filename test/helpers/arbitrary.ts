import fc from 'fast-check';
import { z } from 'zod';

/** Arbitrary values of a schema for fast-check: options of operations and encoders. */

type Json = z.core.JSONSchema.BaseSchema;

interface Named {
	readonly name: string;
	readonly schema: z.ZodType;
}

/** Options that have few meaningful values, by name. */
const known: Readonly<Record<string, readonly unknown[]>> = {
	picture: ['logo.png'],
	font: ['sans', 'serif', 'monospace'],
	text: ['© Ann', 'two\nlines', 'Fish & <chips>', 'many words that take more than one line'],
	maxBytes: [100, 300, 800, 3_000, 1e9],
};

/** Texts for options. */
const samples = [
	...['#000', '#ff8800', '#ff880040', '#00000000'],
	...['1:1', '16:9', '1:100', '99.5:1'],
	...['1%', '37%', '50%', '100%', '-20%'],
];

/** The form in a recipe: `{ <name>: { ...options } }`. */
export function writtenOf({ name, schema }: Named): fc.Arbitrary<Readonly<Record<string, unknown>>> {
	return objectsOf(z.toJSONSchema(schema, { io: 'input' }) as Json)
		.filter((options) => schema.safeParse(options).success)
		.map((options) => ({ [name]: options }));
}

/** Values of an option, from its JSON Schema: mostly ordinary, some at the ends of the range, some refused by other rules. */
function valuesOf(schema: Json): fc.Arbitrary<unknown> {
	const { type, minimum = 0, maximum = 0 } = schema;
	if (schema.const !== undefined) return fc.constant(schema.const);
	if (schema.enum) return fc.constantFrom(...schema.enum);
	if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => valuesOf(one as Json)));
	switch (type) {
		case 'boolean':
			return fc.boolean();
		case 'integer': {
			const low = Math.max(minimum, -100);
			return fc.oneof(
				{ weight: 4, arbitrary: fc.integer({ min: low, max: Math.min(maximum, low + 200) }) },
				{ weight: 1, arbitrary: fc.constantFrom(minimum, maximum) },
			);
		}
		case 'number':
			return fc.oneof(
				{ weight: 4, arbitrary: fc.double({ min: minimum, max: maximum, noNaN: true }) },
				{ weight: 1, arbitrary: fc.constantFrom(minimum, maximum) },
			);
		case 'string':
			return textsFor(schema.pattern ?? '');
		case 'array':
			return fc.array(valuesOf(schema.items as Json), { minLength: 1, maxLength: 4 });
		case 'object':
			return objectsOf(schema);
		default:
			throw new TypeError(`Expected a rule for ${JSON.stringify(schema)}.`);
	}
}

/** Texts that match the pattern. */
function textsFor(pattern: string): fc.Arbitrary<string> {
	const allowed = samples.filter((sample) => new RegExp(pattern, 'iu').test(sample));
	if (allowed.length === 0) throw new TypeError(`Expected a sample for ${pattern}: add one.`);
	return fc.constantFrom(...allowed);
}

function objectsOf({ properties = {}, required = [] }: Json): fc.Arbitrary<Record<string, unknown>> {
	const entries = Object.entries(properties).map(
		([name, schema]) =>
			[name, name in known ? fc.constantFrom(...(known[name] ?? [])) : valuesOf(schema as Json)] as const,
	);
	return fc.record(Object.fromEntries(entries), { requiredKeys: [...required] });
}
