/** Which release of Mailboat this is: what the image, the chart and package.json say as well. */
export const release = "0.1.0";
