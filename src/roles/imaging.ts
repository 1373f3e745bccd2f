import type { Config } from '../config/index.ts';
import type { ImagingPoolOptions } from '../imaging/scheduler.ts';
import { type AssetFinder, openAssets } from '../intake/assets.ts';
import type { Logger } from '../observe/log.ts';
import { svgLimitsOf } from '../pipeline/inspect/limits.ts';
import type { Storage } from '../storage/storage.ts';

/** The assets of recipes, from the assets folder and, if given, from storage. */
export function openConfiguredAssets(config: Config, storage?: Storage): AssetFinder {
	return openAssets({ folder: config.assetsFolder, maxBytes: config.maxBytes, ...(storage && { storage }) });
}

/** The options of `startImagingPool`. */
export function imagingOptions(config: Config, log: Logger): ImagingPoolOptions {
	return {
		processes: config.imagingProcesses,
		sharpThreads: config.sharpThreads,
		megapixelsInFlight: config.megapixelsInFlight,
		imagingMegabytes: config.imagingMegabytes,
		imagingPictures: config.imagingPictures,
		keptMegabytes: config.keptMegabytes,
		pictureSeconds: config.pictureSeconds,
		storage: config.storage,
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
