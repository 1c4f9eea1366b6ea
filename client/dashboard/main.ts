import { mount } from "svelte";
import "../shared/theme.css";
import Dashboard from "./Dashboard.svelte";

mount(Dashboard, { target: document.getElementById("app")! });
