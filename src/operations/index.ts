import type { Operation } from './operation.ts';
import { resize } from './resize.ts';

/** Every operation that a recipe's steps may name, in the order that reference pages show them. */
export const operations: readonly Operation[] = [resize];

const byName = new Map(operations.map((operation) => [operation.name, operation]));

export function findOperation(name: string): Operation | undefined {
	return byName.get(name);
}
