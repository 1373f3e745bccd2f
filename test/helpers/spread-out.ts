import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Folders whose files start whole pipelines and wait for what becomes of them, for a minute or more each; longest first. */
const slow = ['test/faults/', 'test/e2e/', 'test/web/', 'test/cli/', 'test/supervisor/', 'test/scripts/', 'test/docs/'];

/** Share of the other files beside which the slow ones run; beside the rest the last of them ends. */
const spread = 0.85;

/**
 * Files that take long are spread over the run: many of them at once would make each other late, and the last would run beside nothing if it came last.
 */
export class SpreadOut extends BaseSequencer {
	override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
		const sorted = await super.sort(files);
		const placeOf = ({ moduleId }: TestSpecification) => slow.findIndex((folder) => moduleId.includes(folder));
		const long = sorted.filter((file) => placeOf(file) >= 0).sort((a, b) => placeOf(a) - placeOf(b));
		const rest = sorted.filter((file) => placeOf(file) < 0);
		const between = Math.floor((rest.length * spread) / Math.max(1, long.length));
		const mixed = long.flatMap((file, index) => [file, ...rest.slice(index * between, (index + 1) * between)]);
		return [...mixed, ...rest.slice(long.length * between)];
	}
}
