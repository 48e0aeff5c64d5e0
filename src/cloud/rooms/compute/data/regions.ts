/**
 * Data: regions, the letters of their zones, and the range that an auto mode network has there.
 * Sources: https://cloud.google.com/compute/docs/regions-zones and https://cloud.google.com/vpc/docs/subnets#ip-ranges.
 * A new region is one line here.
 */
export interface RegionData {
  readonly zones: readonly string[]
  /** CIDR of the automatic subnetwork. */
  readonly subnet: string
}

export const regions: Readonly<Record<string, RegionData>> = {
  'africa-south1': { zones: ['a', 'b', 'c'], subnet: '10.218.0.0/20' },
  'asia-east1': { zones: ['a', 'b', 'c'], subnet: '10.140.0.0/20' },
  'asia-east2': { zones: ['a', 'b', 'c'], subnet: '10.170.0.0/20' },
  'asia-northeast1': { zones: ['a', 'b', 'c'], subnet: '10.146.0.0/20' },
  'asia-northeast2': { zones: ['a', 'b', 'c'], subnet: '10.174.0.0/20' },
  'asia-northeast3': { zones: ['a', 'b', 'c'], subnet: '10.178.0.0/20' },
  'asia-south1': { zones: ['a', 'b', 'c'], subnet: '10.160.0.0/20' },
  'asia-south2': { zones: ['a', 'b', 'c'], subnet: '10.190.0.0/20' },
  'asia-southeast1': { zones: ['a', 'b', 'c'], subnet: '10.148.0.0/20' },
  'asia-southeast2': { zones: ['a', 'b', 'c'], subnet: '10.184.0.0/20' },
  'asia-southeast3': { zones: ['a', 'b', 'c'], subnet: '10.232.0.0/20' },
  'australia-southeast1': { zones: ['a', 'b', 'c'], subnet: '10.152.0.0/20' },
  'australia-southeast2': { zones: ['a', 'b', 'c'], subnet: '10.192.0.0/20' },
  'europe-central2': { zones: ['a', 'b', 'c'], subnet: '10.186.0.0/20' },
  'europe-north1': { zones: ['a', 'b', 'c'], subnet: '10.166.0.0/20' },
  'europe-north2': { zones: ['a', 'b', 'c'], subnet: '10.226.0.0/20' },
  'europe-southwest1': { zones: ['a', 'b', 'c'], subnet: '10.204.0.0/20' },
  'europe-west1': { zones: ['b', 'c', 'd'], subnet: '10.132.0.0/20' },
  'europe-west2': { zones: ['a', 'b', 'c'], subnet: '10.154.0.0/20' },
  'europe-west3': { zones: ['a', 'b', 'c'], subnet: '10.156.0.0/20' },
  'europe-west4': { zones: ['a', 'b', 'c'], subnet: '10.164.0.0/20' },
  'europe-west6': { zones: ['a', 'b', 'c'], subnet: '10.172.0.0/20' },
  'europe-west8': { zones: ['a', 'b', 'c'], subnet: '10.198.0.0/20' },
  'europe-west9': { zones: ['a', 'b', 'c'], subnet: '10.200.0.0/20' },
  'europe-west10': { zones: ['a', 'b', 'c'], subnet: '10.214.0.0/20' },
  'europe-west12': { zones: ['a', 'b', 'c'], subnet: '10.210.0.0/20' },
  'me-central1': { zones: ['a', 'b', 'c'], subnet: '10.212.0.0/20' },
  'me-central2': { zones: ['a', 'b', 'c'], subnet: '10.216.0.0/20' },
  'me-west1': { zones: ['a', 'b', 'c'], subnet: '10.208.0.0/20' },
  'northamerica-northeast1': { zones: ['a', 'b', 'c'], subnet: '10.162.0.0/20' },
  'northamerica-northeast2': { zones: ['a', 'b', 'c'], subnet: '10.188.0.0/20' },
  'northamerica-south1': { zones: ['a', 'b', 'c'], subnet: '10.224.0.0/20' },
  'southamerica-east1': { zones: ['a', 'b', 'c'], subnet: '10.158.0.0/20' },
  'southamerica-west1': { zones: ['a', 'b', 'c'], subnet: '10.194.0.0/20' },
  'us-central1': { zones: ['a', 'b', 'c', 'f'], subnet: '10.128.0.0/20' },
  'us-east1': { zones: ['b', 'c', 'd'], subnet: '10.142.0.0/20' },
  'us-east4': { zones: ['a', 'b', 'c'], subnet: '10.150.0.0/20' },
  'us-east5': { zones: ['a', 'b', 'c'], subnet: '10.202.0.0/20' },
  'us-south1': { zones: ['a', 'b', 'c'], subnet: '10.206.0.0/20' },
  'us-west1': { zones: ['a', 'b', 'c'], subnet: '10.138.0.0/20' },
  'us-west2': { zones: ['a', 'b', 'c'], subnet: '10.168.0.0/20' },
  'us-west3': { zones: ['a', 'b', 'c'], subnet: '10.180.0.0/20' },
  'us-west4': { zones: ['a', 'b', 'c'], subnet: '10.182.0.0/20' },
}

/** Every zone with its region, by name. */
export const zones: ReadonlyMap<string, string> = new Map(
  Object.entries(regions)
    .flatMap(([region, data]) => data.zones.map((letter) => [`${region}-${letter}`, region] as const))
    .toSorted(([left], [right]) => (left < right ? -1 : 1)),
)

/** `us-central1-c` -> `us-central1`. */
export function regionOfZone(zone: string): string {
  return zone.slice(0, zone.lastIndexOf('-'))
}
