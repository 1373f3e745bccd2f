import { describe, expect, it } from 'vitest';
import { memoryProfile } from '../../src/config/memory.ts';

const of = (total: number, limit = 0, cores = 8) => memoryProfile(total * 1e6, limit * 1e6, cores);

describe('memoryProfile', () => {
	it.each([
		[
			256,
			{ imagingProcesses: 1, megapixelsInFlight: 4, keptMegabytes: 16, imagingMegabytes: 128, deliveryMegabytes: 16 },
		],
		[
			512,
			{ imagingProcesses: 1, megapixelsInFlight: 8, keptMegabytes: 16, imagingMegabytes: 256, deliveryMegabytes: 16 },
		],
		[1_000, { imagingProcesses: 2, megapixelsInFlight: 15, keptMegabytes: 31, imagingMegabytes: 500 }],
		[2_000, { imagingProcesses: 5, megapixelsInFlight: 31, keptMegabytes: 62, imagingMegabytes: 1_000 }],
		[32_000, { imagingProcesses: 8, megapixelsInFlight: 500, keptMegabytes: 128, imagingMegabytes: 1_024 }],
	])('chooses for %d MB', (megabytes, expected) => {
		expect(of(megabytes)).toMatchObject({ ...expected, isSmall: megabytes < 1_500, isLimited: false });
	});

	it('follows the limit of the control group if there is one', () => {
		expect(of(32_000, 512)).toEqual({ ...of(512), isLimited: true });
		// What the kernel reports without a limit.
		expect(of(32_000, 0)).toEqual(of(32_000));
		expect(of(32_000, 9.2e12)).toEqual(of(32_000));
	});

	it('never chooses more processes than cores, and never none', () => {
		expect(of(32_000, 0, 2).imagingProcesses).toBe(2);
		expect(of(64).imagingProcesses).toBe(1);
	});
});
