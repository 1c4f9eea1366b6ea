import { expect, test } from "vitest";
import { regionOfTimeZone } from "./regions.ts";

test.each([
  ["Europe/Berlin", 1, "eu-west-1"],
  ["Africa/Lagos", 1, "eu-west-1"],
  ["Asia/Riyadh", 3, "eu-west-1"],
  ["Atlantic/Reykjavik", 0, "eu-west-1"],
  ["America/New_York", -5, "us-east-1"],
  ["America/Sao_Paulo", -3, "us-east-1"],
  ["America/Argentina/Ushuaia", -3, "us-east-1"],
  ["America/Los_Angeles", -8, "us-west-1"],
  ["America/Denver", -7, "us-west-1"],
  ["Pacific/Honolulu", -10, "us-west-1"],
  ["Asia/Tokyo", 9, "ap-northeast-1"],
  ["Asia/Shanghai", 8, "ap-northeast-1"],
  ["Asia/Kolkata", 5.5, "ap-southeast-1"],
  ["Asia/Calcutta", 5.5, "ap-southeast-1"],
  ["Australia/Perth", 8, "ap-southeast-2"],
  ["Pacific/Auckland", 13, "ap-southeast-2"],
  ["UTC", 0, null],
  ["Etc/GMT+5", -5, null],
  ["", 0, null],
])("%s, %f h ahead of UTC in winter, is in %s", (zone, winterHours, region) => {
  expect(regionOfTimeZone(zone, winterHours)).toBe(region);
});
