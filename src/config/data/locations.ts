/**
 * Data: the regions of Compute Engine and the letters of their zones.
 * Source: https://cloud.google.com/compute/docs/regions-zones (general-purpose zones; zones reserved for AI machines are left out).
 * A new region is one line here.
 */
export const zonesOfRegion = {
  'africa-south1': ['a', 'b', 'c'],
  'asia-east1': ['a', 'b', 'c'],
  'asia-east2': ['a', 'b', 'c'],
  'asia-northeast1': ['a', 'b', 'c'],
  'asia-northeast2': ['a', 'b', 'c'],
  'asia-northeast3': ['a', 'b', 'c'],
  'asia-south1': ['a', 'b', 'c'],
  'asia-south2': ['a', 'b', 'c'],
  'asia-southeast1': ['a', 'b', 'c'],
  'asia-southeast2': ['a', 'b', 'c'],
  'asia-southeast3': ['a', 'b', 'c'],
  'australia-southeast1': ['a', 'b', 'c'],
  'australia-southeast2': ['a', 'b', 'c'],
  'europe-central2': ['a', 'b', 'c'],
  'europe-north1': ['a', 'b', 'c'],
  'europe-north2': ['a', 'b', 'c'],
  'europe-southwest1': ['a', 'b', 'c'],
  'europe-west1': ['b', 'c', 'd'],
  'europe-west2': ['a', 'b', 'c'],
  'europe-west3': ['a', 'b', 'c'],
  'europe-west4': ['a', 'b', 'c'],
  'europe-west6': ['a', 'b', 'c'],
  'europe-west8': ['a', 'b', 'c'],
  'europe-west9': ['a', 'b', 'c'],
  'europe-west10': ['a', 'b', 'c'],
  'europe-west12': ['a', 'b', 'c'],
  'me-central1': ['a', 'b', 'c'],
  'me-central2': ['a', 'b', 'c'],
  'me-west1': ['a', 'b', 'c'],
  'northamerica-northeast1': ['a', 'b', 'c'],
  'northamerica-northeast2': ['a', 'b', 'c'],
  'northamerica-south1': ['a', 'b', 'c'],
  'southamerica-east1': ['a', 'b', 'c'],
  'southamerica-west1': ['a', 'b', 'c'],
  'us-central1': ['a', 'b', 'c', 'f'],
  'us-east1': ['b', 'c', 'd'],
  'us-east4': ['a', 'b', 'c'],
  'us-east5': ['a', 'b', 'c'],
  'us-south1': ['a', 'b', 'c'],
  'us-west1': ['a', 'b', 'c'],
  'us-west2': ['a', 'b', 'c'],
  'us-west3': ['a', 'b', 'c'],
  'us-west4': ['a', 'b', 'c'],
} as const

export type Region = keyof typeof zonesOfRegion

export type Zone = { [Name in Region]: `${Name}-${(typeof zonesOfRegion)[Name][number]}` }[Region]

/** Multi-regions of Cloud Storage (https://cloud.google.com/storage/docs/locations), beside the regions. */
export const bucketMultiRegions = ['us', 'eu', 'asia'] as const

/** Multi-regions of Firestore (https://cloud.google.com/firestore/docs/locations), beside the regions. */
export const firestoreMultiRegions = ['nam5', 'nam7', 'eur3'] as const

/** Every region name. */
export function regionNames(): readonly Region[] {
  return Object.keys(zonesOfRegion) as Region[]
}

/** The full zone names of one region. */
export function zoneNames(region: Region): readonly Zone[] {
  return zonesOfRegion[region].map((letter) => `${region}-${letter}` as Zone)
}

/** True for a region of the list. */
export function isRegion(name: unknown): name is Region {
  return typeof name === 'string' && Object.hasOwn(zonesOfRegion, name)
}

/** True for a zone of the list. */
export function isZone(name: unknown): name is Zone {
  return typeof name === 'string' && regionNames().some((region) => zoneNames(region).some((zone) => zone === name))
}
