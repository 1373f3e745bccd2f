import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Folders whose files start whole pipelines and wait for what becomes of them, longest first. */
const slow = ['test/faults/', 'test/e2e/', 'test/web/', 'test/start/'];

/** Files that take minutes come first, or the last of them would run beside nothing. */
export class LongestFirst extends BaseSequencer {
	override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
		const sorted = await super.sort(files);
		const place = ({ moduleId }: TestSpecification) => {
			const at = slow.findIndex((folder) => moduleId.includes(folder));
			return at < 0 ? slow.length : at;
		};
		return sorted.toSorted((a, b) => place(a) - place(b));
	}
}
