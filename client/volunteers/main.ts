import { mount } from "svelte";
import "../shared/theme.css";
import Volunteers from "./Volunteers.svelte";

mount(Volunteers, { target: document.getElementById("app")! });
