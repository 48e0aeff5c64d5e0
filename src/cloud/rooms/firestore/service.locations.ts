/** Where databases can be. https://cloud.google.com/firestore/docs/locations */
import { invalidArgument } from '../../kernel/api-error.ts'

const locations: Readonly<Record<string, string>> = {
  nam5: 'United States (multi-region)',
  nam7: 'United States (Central and East)',
  eur3: 'Europe (multi-region)',
  'africa-south1': 'Johannesburg',
  'asia-east1': 'Taiwan',
  'asia-east2': 'Hong Kong',
  'asia-northeast1': 'Tokyo',
  'asia-northeast2': 'Osaka',
  'asia-northeast3': 'Seoul',
  'asia-south1': 'Mumbai',
  'asia-south2': 'Delhi',
  'asia-southeast1': 'Singapore',
  'asia-southeast2': 'Jakarta',
  'australia-southeast1': 'Sydney',
  'australia-southeast2': 'Melbourne',
  'europe-central2': 'Warsaw',
  'europe-north1': 'Finland',
  'europe-southwest1': 'Madrid',
  'europe-west1': 'Belgium',
  'europe-west10': 'Berlin',
  'europe-west12': 'Turin',
  'europe-west2': 'London',
  'europe-west3': 'Frankfurt',
  'europe-west4': 'Netherlands',
  'europe-west6': 'Zurich',
  'europe-west8': 'Milan',
  'europe-west9': 'Paris',
  'me-central1': 'Doha',
  'me-central2': 'Dammam',
  'me-west1': 'Tel Aviv',
  'northamerica-northeast1': 'Montréal',
  'northamerica-northeast2': 'Toronto',
  'northamerica-south1': 'Mexico',
  'southamerica-east1': 'São Paulo',
  'southamerica-west1': 'Santiago',
  'us-central1': 'Iowa',
  'us-east1': 'South Carolina',
  'us-east4': 'Northern Virginia',
  'us-east5': 'Columbus',
  'us-south1': 'Dallas',
  'us-west1': 'Oregon',
  'us-west2': 'Los Angeles',
  'us-west3': 'Salt Lake City',
  'us-west4': 'Las Vegas',
}

export interface FirestoreLocation {
  readonly locationId: string
  readonly displayName: string
}

export function listLocations(): readonly FirestoreLocation[] {
  return Object.entries(locations)
    .map(([locationId, displayName]) => ({ locationId, displayName }))
    .toSorted((a, b) => (a.locationId < b.locationId ? -1 : 1))
}

export function findLocation(locationId: string): FirestoreLocation | undefined {
  // Names such as constructor are in every object.
  const displayName = Object.hasOwn(locations, locationId) ? locations[locationId] : undefined
  return displayName === undefined ? undefined : { locationId, displayName }
}

/** @throws ApiError 400 */
export function checkLocation(locationId: string | null | undefined): string {
  if (typeof locationId !== 'string' || locationId === '') throw invalidArgument('location_id is required.')
  if (locations[locationId] === undefined) throw invalidArgument(`Invalid location_id: ${locationId}`)
  return locationId
}
