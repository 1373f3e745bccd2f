import { type Config, ConfigError, settings } from '../config/index.ts';
import type { ImagingPoolOptions } from '../imaging/scheduler.ts';
import { openScratch, type Scratch } from '../imaging/scratch.ts';
import type { SourceFiles } from '../imaging/source-files.ts';
import { type AssetFinder, openAssets } from '../intake/assets.ts';
import type { Logger } from '../observe/log.ts';
import { svgLimitsOf } from '../pipeline/inspect/limits.ts';
import type { Storage } from '../storage/storage.ts';

/** The assets of recipes, from the assets folder and, if given, from storage. */
export function openConfiguredAssets(config: Config, storage?: Storage): AssetFinder {
	return openAssets({ folder: config.assetsFolder, maxBytes: config.maxBytes, ...(storage && { storage }) });
}

/** The scratch folder of a worker; undefined if the files of the storage can be read in place. @throws ConfigError if it cannot be used */
export async function openConfiguredScratch(
	config: Config,
	storage: Storage,
	log: Logger,
): Promise<Scratch | undefined> {
	if (storage.localPath) return undefined;
	const { scratchFolder: folder, scratchMegabytes: megabytes } = config;
	try {
		return await openScratch(storage, { folder, megabytes, log });
	} catch (error) {
		const { variable } = settings.scratchFolder;
		throw new ConfigError([
			`${variable}: expected a folder that this process can write to but received ${folder} (${(error as Error).message})`,
		]);
	}
}

/** The options of `startImagingPool`. @param files absent for work on files of this machine alone */
export function imagingOptions(config: Config, log: Logger, files?: SourceFiles): ImagingPoolOptions {
	return {
		files,
		processes: config.imagingProcesses,
		sharpThreads: config.sharpThreads,
		megapixelsInFlight: config.megapixelsInFlight,
		imagingMegabytes: config.imagingMegabytes,
		imagingPictures: config.imagingPictures,
		keptMegabytes: config.keptMegabytes,
		pictureSeconds: config.pictureSeconds,
		limits: {
			maxMegapixels: config.maxMegapixels,
			maxDimension: config.maxDimension,
			maxFrames: config.maxFrames,
			maxOutputDimension: config.maxOutputDimension,
			svg: svgLimitsOf(config),
		},
		log,
	};
}
