import * as z from 'zod';
import { didYouMean } from '../suggestion.ts';

/** Longest part of a rejected value that is repeated in the message, in characters. */
const maximumShownCharacters = 60;

/**
 * Describes the problems of a value, one sentence each: `variants.card.steps[1].resize.minWidth: expected an integer
 * from 1 to 16384, received "big"`.
 *
 * @param prefix path of the value in its document; put before each path
 * @param schema suggests a key for a misspelt one
 */
export function describeProblems(
	error: z.ZodError,
	value: unknown,
	prefix: readonly PropertyKey[] = [],
	schema?: z.ZodType,
): string[] {
	return error.issues.flatMap((issue) => describeIssue(issue, value, prefix, schema));
}

function describeIssue(
	issue: z.core.$ZodIssue,
	value: unknown,
	prefix: readonly PropertyKey[],
	schema: z.ZodType | undefined,
): string[] {
	const path = [...prefix, ...issue.path];
	switch (issue.code) {
		case 'unrecognized_keys':
			return issue.keys.map((key) =>
				problem([...path, key], `expected no such key${schema ? didYouMean(key, keysOf(schema)) : ''}`),
			);
		case 'invalid_key':
			return [problem(path, issue.issues[0]?.message ?? 'expected another key')];
		case 'invalid_value':
			return [problem(path, `expected ${oneOf(issue.values.map(String))}`, valueAt(value, issue.path))];
		default:
			return [problem(path, expectation(issue.message), valueAt(value, issue.path))];
	}
}

/** Every key that a schema names, at any depth. */
function keysOf(schema: z.ZodType): string[] {
	const keys = new Set<string>();
	JSON.stringify(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), (name, part) => {
		if (name === 'properties') for (const key of Object.keys(part)) keys.add(key);
		return part;
	});
	return [...keys];
}

/** `a`, or `one of a, b, c`. */
export function oneOf(values: readonly string[]): string {
	return values.length === 1 ? `${values[0]}` : `one of ${values.join(', ')}`;
}

/** A sentence about one path. `received` is left out when there is no value to show. */
export function problem(path: readonly PropertyKey[], expected: string, ...received: [unknown?]): string {
	const place = path.length > 0 ? `${formatPath(path)}: ` : '';
	return `${place}${expected}${received.length > 0 ? `, received ${show(received[0])}` : ''}`;
}

/** Zod's own messages start with a verdict ("Invalid input: expected …"); ours start with the expectation. */
function expectation(message: string): string {
	return message
		.replace(/^(Invalid input|Too small|Too big|Invalid string): /, '')
		.replace(/, received .*$/, '')
		.replace(/^expected (record|object)$/, 'expected an object')
		.replace(/^expected (array|undefined|int)$/, 'expected an $1')
		.replace(/^expected (string|boolean|number)$/, 'expected a $1');
}

function formatPath(path: readonly PropertyKey[]): string {
	return path.reduce<string>(
		(text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}${text && '.'}${String(part)}`),
		'',
	);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
	return path.reduce<unknown>((inner, part) => (inner as Record<PropertyKey, unknown> | undefined)?.[part], value);
}

function show(value: unknown): string {
	if (value === undefined) return 'nothing';
	const text = JSON.stringify(value) ?? String(value);
	return text.length > maximumShownCharacters ? `${text.slice(0, maximumShownCharacters)}…` : text;
}
